"""Write one kind of meta-estimator from the predictions of its members."""

from __future__ import annotations

from typing import Any

from onnxpress.conversion.meta.members import Members
from onnxpress.conversion.meta.values import Inputs


class Part:
    """What one kind of meta-estimator predicts; shapes are those of Members.

    A kind overrides what it has.
    """

    def probabilities(self, model: Any, members: Members, inputs: Inputs) -> str:
        """Write what ``predict_proba`` returns."""
        raise NotImplementedError(f"{type(model).__name__} has no probabilities")

    def decisions(self, model: Any, members: Members, inputs: Inputs) -> str:
        """Write what ``decision_function`` returns."""
        raise NotImplementedError(f"the decision function of {type(model).__name__}")

    def places(self, model: Any, members: Members, inputs: Inputs) -> str:
        """Write the positions of the predicted classes: by default the greatest probabilities."""
        return members.best(members.probabilities(model, inputs))

    def values(self, model: Any, members: Members, inputs: Inputs) -> str:
        """Write what ``predict`` of a regressor returns."""
        raise NotImplementedError(f"{type(model).__name__} is not a regressor")
