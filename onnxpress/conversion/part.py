"""What a meta-estimator's part of a graph is: functions that write its answers from its members'."""

from __future__ import annotations

from typing import Any

from onnxpress.conversion.members import Inputs, Members


class Part:
    """Answers of one kind of meta-estimator; see Members for the shapes. What a kind lacks it does not override."""

    def probabilities(self, model: Any, members: Members, inputs: Inputs) -> str:
        """What ``predict_proba`` gives."""
        raise NotImplementedError(f"{type(model).__name__} has no probabilities")

    def decisions(self, model: Any, members: Members, inputs: Inputs) -> str:
        """What ``decision_function`` gives."""
        raise NotImplementedError(f"the decision function of {type(model).__name__}")

    def places(self, model: Any, members: Members, inputs: Inputs) -> str:
        """The places of the predicted classes: of the greatest probabilities, unless a kind has another rule."""
        return members.best(members.probabilities(model, inputs))

    def values(self, model: Any, members: Members, inputs: Inputs) -> str:
        """What ``predict`` of a regressor gives."""
        raise NotImplementedError(f"{type(model).__name__} is no regressor")
