"""OneVsRestClassifier, OneVsOneClassifier and OutputCodeClassifier, from binary classifiers."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

from onnxpress.conversion.meta.members import Members
from onnxpress.conversion.meta.part import Part
from onnxpress.conversion.meta.values import TWO, Inputs


class OneVsRest(Part):
    """A classifier for each class, or one for the second of two."""

    def probabilities(self, model: Any, members: Members, inputs: Inputs) -> str:
        """See Part."""
        second = [
            members.pick(members.probabilities(one, inputs), [1]) for one in model.estimators_
        ]
        if len(second) == 1:
            one = members.constant(np.ones(1, np.float32))
            second.insert(0, members.add("Sub", one, second[0]))
        return members.shares(members.beside(second))

    def decisions(self, model: Any, members: Members, inputs: Inputs) -> str:
        """See Part."""
        return members.beside([members.decisions(one, inputs) for one in model.estimators_])

    def places(self, model: Any, members: Members, inputs: Inputs) -> str:
        """See Part."""
        columns = [_confidence(one, members, inputs) for one in model.estimators_]
        if len(columns) == 1:
            return members.above(columns[0], _threshold(model.estimators_[0]))
        return members.best(members.beside(columns))


class OneVsOne(Part):
    """A classifier for each pair of classes, and the votes of all of them."""

    def decisions(self, model: Any, members: Members, inputs: Inputs) -> str:
        """Write votes, and up to a third of one by confidence.

        Source: sklearn.utils.multiclass._ovr_decision_function.
        """
        votes = members.add("Add", *_votes(model, members, inputs))
        return members.pick(votes, [1]) if len(model.classes_) == TWO else votes

    def places(self, model: Any, members: Members, inputs: Inputs) -> str:
        """See Part."""
        decisions = members.decisions(model, inputs)
        if len(model.classes_) == TWO:
            return members.above(decisions, _threshold(model.estimators_[0]))
        return members.best(decisions)


class OutputCode(Part):
    """A classifier for each bit of a code, and the class of the nearest code word."""

    def places(self, model: Any, members: Members, inputs: Inputs) -> str:
        """Write the position of the smallest |c|² - 2 c·y over the code words c, in float64."""
        bits = members.double(
            members.beside([_confidence(one, members, inputs) for one in model.estimators_])
        )
        words = np.asarray(model.code_book_, np.float64)
        products = members.add("MatMul", bits, members.constant(2 * words.T))
        return members.best(members.add("Sub", products, members.constant((words**2).sum(axis=1))))


def _votes(model: Any, members: Members, inputs: Inputs) -> tuple[str, str]:
    """Write votes, and their thirds by confidence, float32 (rows, classes) each.

    Of three classes, a row for each pair:

        pairs     first         second
        (0, 1)    [1, 0, 0]     [0, 1, 0]
        (0, 2)    [1, 0, 0]     [0, 0, 1]
        (1, 2)    [0, 1, 0]     [0, 0, 1]

    With 1 where the second class of a pair is predicted, [1, 0, 0], the votes are
    [1, 0, 0] (second - first) + the column sums of first = [-1, 1, 0] + [2, 1, 0] = [1, 2, 0].
    """
    if any(not hasattr(one, "classes_") for one in model.estimators_):
        raise NotImplementedError(f"{type(model).__name__} over regressors")
    classes = len(model.classes_)
    pairs = np.array(list(combinations(range(classes), 2)))
    first, second = (np.eye(classes, dtype=np.float32)[pairs[:, side]] for side in (0, 1))
    predicted = [members.column(members.places(one, inputs)) for one in model.estimators_]
    of_second = members.single(members.beside(predicted))
    moved = members.constant(second - first)
    votes = members.add("Gemm", of_second, moved, members.constant(first.sum(axis=0)))
    sure = members.beside([_confidence(one, members, inputs) for one in model.estimators_])
    summed = members.add("MatMul", sure, members.constant(second - first))
    return votes, members.scaled(members.add("Softsign", summed), 1 / 3)


def _confidence(one: Any, members: Members, inputs: Inputs) -> str:
    """Write values, decisions or the second probability, (rows, 1).

    A regressor of one value is a bit that all code words share. Source:
    sklearn.multiclass._predict_binary.
    """
    if not hasattr(one, "classes_") and hasattr(one, "y_"):
        return members.same_in_every_row(float(one.y_[0]), inputs)
    if not hasattr(one, "classes_"):
        return members.values(one, inputs)
    response, decided = members.responses(one, inputs)
    return response if decided else members.pick(response, [1])


def _threshold(one: Any) -> float:
    """Return what separates the classes.

    Source: sklearn.multiclass._threshold_for_binary_predict.
    """
    return 0.0 if hasattr(one, "decision_function") and hasattr(one, "classes_") else 0.5
