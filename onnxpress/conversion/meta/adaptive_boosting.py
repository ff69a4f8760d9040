"""AdaBoostClassifier and AdaBoostRegressor: weighted votes, and the weighted median.

All is computed in float64, as in scikit-learn.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxpress.conversion.meta.members import Members
from onnxpress.conversion.meta.part import Part
from onnxpress.conversion.meta.values import TWO, Inputs


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
        count = len(model.estimators_)
        columns = members.beside([members.values(one, inputs) for one in model.estimators_])
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
    """Write the decision function, float64, (rows, 1) for two classes.

    Of a vote for a class, the other classes pay: among three classes, a vote of weight w for the
    first is [w, -w / 2, -w / 2]. Weights of rounds that were not needed are 0.
    """
    classes, weights = len(model.classes_), np.asarray(model.estimator_weights_, np.float64)
    found = []
    for one, weight in zip(model.estimators_, weights, strict=False):
        votes = model.classes_[None, :] == one.classes_[:, None]
        shares = np.where(votes, weight, -weight / (classes - 1)) / weights.sum()
        table = 2 * shares[:, 1:] if classes == TWO else shares
        found.append(members.lookup(table, members.places(one, inputs)))
    return members.total(found)
