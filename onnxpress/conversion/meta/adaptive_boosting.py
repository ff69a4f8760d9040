"""AdaBoostClassifier and AdaBoostRegressor: weighted votes, and the weighted median, in float64 as scikit-learn has them."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxpress.conversion.meta.members import Members
from onnxpress.conversion.meta.part import Part
from onnxpress.conversion.meta.values import TWO, Inputs


class AdaptiveBoosting(Part):
    """Members vote by what they predict (SAMME); J. Zhu et al., "Multi-class AdaBoost", 2009."""

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
        """The value at which half of the weights is reached, in the order of the values."""
        count = len(model.estimators_)
        columns = members.beside([members.values(one, inputs) for one in model.estimators_])
        ordered, order = members.add_pair(
            "TopK", columns, members.constant(np.array([count])), largest=0
        )
        weights = np.asarray(model.estimator_weights_[:count], np.float64)
        reached = members.add(
            "CumSum", members.lookup(weights, order), members.constant(np.array(1))
        )
        half = members.add(
            "Mul", members.pick(reached, [count - 1]), members.constant(np.array([0.5]))
        )
        enough = members.add("Not", members.add("Less", reached, half))
        place = members.add("ArgMax", members.single(enough), axis=1, keepdims=1)
        return members.add("GatherElements", ordered, place, axis=1)


def _decided(model: Any, members: Members, inputs: Inputs) -> str:
    """The decision function: of a vote for a class, the other classes pay. float64, (rows, 1) for two classes."""
    classes, weights = len(model.classes_), np.asarray(model.estimator_weights_, np.float64)
    found = []
    for one, weight in zip(
        model.estimators_, weights, strict=False
    ):  # weights of rounds that were not needed are 0
        votes = model.classes_[None, :] == one.classes_[:, None]
        shares = np.where(votes, weight, -weight / (classes - 1)) / weights.sum()
        table = 2 * shares[:, 1:] if classes == TWO else shares
        found.append(members.lookup(table, members.places(one, inputs)))
    return members.total(found)
