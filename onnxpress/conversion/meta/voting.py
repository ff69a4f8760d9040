"""VotingClassifier and VotingRegressor: a weighted mean of the members that were not dropped, or their votes."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxpress.conversion.meta.members import Members
from onnxpress.conversion.meta.part import Part
from onnxpress.conversion.meta.values import Inputs


def weights_of(model: Any) -> list[float]:
    """The weight of each fitted member, of sum 1."""
    given = model._weights_not_none
    weights = np.ones(len(model.estimators_)) if given is None else np.asarray(given, np.float64)
    return [float(weight) for weight in weights / weights.sum()]


class Voting(Part):
    """Soft and hard votes, and means of regressors; members know classes by their places."""

    def probabilities(self, model: Any, members: Members, inputs: Inputs) -> str:
        """See Part."""
        pairs = zip(model.estimators_, weights_of(model), strict=True)
        return members.total(
            [members.scaled(members.probabilities(one, inputs), weight) for one, weight in pairs]
        )

    def places(self, model: Any, members: Members, inputs: Inputs) -> str:
        """See Part; votes are counted in float64, as scikit-learn does, so that equal ones are equal here."""
        if model.voting == "soft":
            return super().places(model, members, inputs)
        given = model._weights_not_none
        weights = (
            np.ones(len(model.estimators_)) if given is None else np.asarray(given, np.float64)
        )
        votes = [
            members.lookup(weight * np.eye(len(model.classes_)), members.places(one, inputs))
            for one, weight in zip(model.estimators_, weights, strict=True)
        ]
        return members.best(members.total(votes))

    def values(self, model: Any, members: Members, inputs: Inputs) -> str:
        """See Part."""
        pairs = zip(model.estimators_, weights_of(model), strict=True)
        return members.total(
            [members.scaled(members.values(one, inputs), weight) for one, weight in pairs]
        )
