"""BaggingClassifier and BaggingRegressor: means over members that each take some of the columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxpress.conversion.meta.members import Members
from onnxpress.conversion.meta.part import Part
from onnxpress.conversion.meta.values import Inputs


class Bagging(Part):
    """Means of probabilities, of votes where members have none, of decisions, and of values."""

    def probabilities(self, model: Any, members: Members, inputs: Inputs) -> str:
        """See Part.

        A member's classes are positions among all classes; a bag may have held some of them only.
        """
        found = []
        for one, columns in _drawn(model, members, inputs):
            rows_of_all = np.eye(len(model.classes_), dtype=np.float32)[one.classes_]
            if not hasattr(one, "predict_proba"):
                found.append(members.lookup(rows_of_all, members.places(one, columns)))
            elif len(one.classes_) < len(model.classes_):
                own = members.probabilities(one, columns)
                found.append(members.add("MatMul", own, members.constant(rows_of_all)))
            else:
                found.append(members.probabilities(one, columns))
        return members.scaled(members.total(found), 1 / len(found))

    def decisions(self, model: Any, members: Members, inputs: Inputs) -> str:
        """See Part."""
        found = [members.decisions(one, columns) for one, columns in _drawn(model, members, inputs)]
        return members.scaled(members.total(found), 1 / len(found))

    def values(self, model: Any, members: Members, inputs: Inputs) -> str:
        """See Part."""
        found = [members.values(one, columns) for one, columns in _drawn(model, members, inputs)]
        return members.scaled(members.total(found), 1 / len(found))


def _drawn(model: Any, members: Members, inputs: Inputs) -> list[tuple[Any, Inputs]]:
    """Pair each member with the columns that it takes."""
    every = list(range(model.n_features_in_))
    found = []
    for one, features in zip(model.estimators_, model.estimators_features_, strict=True):
        columns = inputs
        if list(features) != every:
            picked = members.pick(members.matrix(inputs), list(features))
            columns = [members.variable(picked, len(features))]
        found.append((one, columns))
    return found
