"""AdaBoostClassifier and AdaBoostRegressor: weighted votes, and the weighted median.

All is computed in float64, as in scikit-learn, and trees are one operator.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from onnxpress.conversion.meta.members import Members
from onnxpress.conversion.meta.part import Part
from onnxpress.conversion.meta.trees_at_once import are_trees, numbers_of_leaves
from onnxpress.conversion.meta.values import TWO, Inputs

Array = NDArray[Any]


class AdaptiveBoosting(Part):
    """Members vote by what they predict (SAMME).

    Source: J. Zhu et al., "Multi-class AdaBoost", 2009.
    """

    def decisions(self, model: Any, members: Members, inputs: Inputs) -> str:
        """See Part."""
        return members.single(_decided(model, members, inputs))

    def probabilities(self, model: Any, members: Members, inputs: Inputs) -> str:
        """See Part."""
        decided, classes = _decided(model, members, inputs), len(model.classes_)
        if classes == TWO:
            halves = members.constant(np.array([[-0.5, 0.5]]))
            logits = members.add("Mul", decided, halves)
        else:
            logits = members.add("Div", decided, members.constant(np.array(classes - 1.0)))
        return members.single(members.add("Softmax", logits, axis=1))

    def places(self, model: Any, members: Members, inputs: Inputs) -> str:
        """See Part."""
        decided = _decided(model, members, inputs)
        if len(model.classes_) > TWO:
            return members.best(decided)
        zero = members.constant(np.zeros(1))
        return members.best(members.beside([members.add("Mul", decided, zero), decided]))

    def values(self, model: Any, members: Members, inputs: Inputs) -> str:
        """Write the weighted median: the first value, in order, that reaches half the weight.

        values 3, 1, 2 of weights 0.2, 0.3, 0.5, in order    1    2    3
        weight reached                                       0.3  0.8  1
        at least half of 1, first                                 2
        """
        estimators, count = model.estimators_, len(model.estimators_)
        if are_trees(estimators):
            values = [one.tree_.value[:, 0, 0] for one in estimators]
            columns = numbers_of_leaves(estimators, values, members, inputs)
        else:
            columns = members.beside([members.values(one, inputs) for one in estimators])
        all_of_them = members.constant(np.array([count]))
        ordered, order = members.add_pair("TopK", columns, all_of_them, largest=0)
        weights = np.asarray(model.estimator_weights_[:count], np.float64)
        of_ordered = members.lookup(weights, order)
        reached = members.add("CumSum", of_ordered, members.constant(np.array(1)))
        total = members.pick(reached, [count - 1])
        half = members.add("Mul", total, members.constant(np.array([0.5])))
        enough = members.add("Not", members.add("Less", reached, half))
        place = members.add("ArgMax", members.single(enough), axis=1, keepdims=1)
        return members.add("GatherElements", ordered, place, axis=1)


def _decided(model: Any, members: Members, inputs: Inputs) -> str:
    """Write the decision function, float64, (rows, 1) for two classes."""
    key = ("decided", id(model), *(variable.onnx_name for variable in inputs))
    return members.once(key, lambda: _decision(model, members, inputs))


def _decision(model: Any, members: Members, inputs: Inputs) -> str:
    """Write the decision function anew.

    Of a vote for a class, the other classes pay: among three classes, a vote of weight w for the
    first is [w, -w / 2, -w / 2]. Weights of rounds that were not needed are 0.
    """
    classes, weights = len(model.classes_), np.asarray(model.estimator_weights_, np.float64)
    tables = []
    for one, weight in zip(model.estimators_, weights, strict=False):
        votes = model.classes_[None, :] == one.classes_[:, None]
        shares = np.where(votes, weight, -1 / (classes - 1) * weight)
        tables.append(2 * shares[:, 1:] if classes == TWO else shares)
    if are_trees(model.estimators_):
        total = _voted_at_once(model.estimators_, tables, members, inputs)
    else:
        pairs = zip(model.estimators_, tables, strict=True)
        total = members.total(
            [members.lookup(table, members.places(one, inputs)) for one, table in pairs]
        )
    return members.add("Div", total, members.constant(np.array(weights.sum())))


def _voted_at_once(
    trees: Sequence[Any], tables: Sequence[Array], members: Members, inputs: Inputs
) -> str:
    """Write the sum of the rows of ``tables`` that the trees vote for, as scikit-learn adds them.

    The tables are one below the other, and leaves are numbered by the row they vote for. Trees
    come first, because onnxruntime then adds them one after another.
    """
    starts = np.cumsum([0, *(len(table) for table in tables[:-1])])
    rows = [
        start + tree.tree_.value[:, 0].argmax(axis=1)
        for tree, start in zip(trees, starts, strict=True)
    ]
    numbers = numbers_of_leaves(trees, rows, members, inputs)
    by_tree = members.add("Transpose", numbers, perm=[1, 0])
    places = members.add("Cast", by_tree, to=TensorProto.INT32)
    votes = members.lookup(np.concatenate(tables), places)
    return members.reduce("ReduceSum", votes, 0, keepdims=False)
