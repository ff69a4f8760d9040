"""VotingClassifier and VotingRegressor: a weighted mean of the members, or their votes.

Members that were dropped are not fitted, and have no weight.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.conversion.meta.members import Members
from onnxpress.conversion.meta.part import Part
from onnxpress.conversion.meta.values import Inputs


def weights_of(model: Any) -> NDArray[np.float64]:
    """Return the weight of each fitted member, as given; all 1 if none are given."""
    given = model._weights_not_none
    return np.ones(len(model.estimators_)) if given is None else np.asarray(given, np.float64)


class Voting(Part):
    """Soft and hard votes, and means of regressors; members know classes by their positions."""

    def probabilities(self, model: Any, members: Members, inputs: Inputs) -> str:
        """See Part."""
        return _mean(model, members, lambda one: members.probabilities(one, inputs))

    def places(self, model: Any, members: Members, inputs: Inputs) -> str:
        """See Part.

        Votes are counted in float64, as in scikit-learn, so that the same votes are equal.
        """
        if model.voting == "soft":
            return super().places(model, members, inputs)
        votes = []
        for one, weight in zip(model.estimators_, weights_of(model), strict=True):
            for_each_class = weight * np.eye(len(model.classes_))
            votes.append(members.lookup(for_each_class, members.places(one, inputs)))
        return members.best(members.total(votes))

    def values(self, model: Any, members: Members, inputs: Inputs) -> str:
        """See Part."""
        return _mean(model, members, lambda one: members.values(one, inputs))


def _mean(model: Any, members: Members, predict: Callable[[Any], str]) -> str:
    """Write the weighted mean of what the members predict."""
    weights = weights_of(model)
    shares = [float(weight) for weight in weights / weights.sum()]
    pairs = zip(model.estimators_, shares, strict=True)
    return members.total([members.scaled(predict(one), share) for one, share in pairs])
