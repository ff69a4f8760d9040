"""StackingClassifier and StackingRegressor: a last estimator on what the first ones predict."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxpress.conversion.meta.members import Members
from onnxpress.conversion.meta.part import Part
from onnxpress.conversion.meta.values import TWO, Inputs


class Stacking(Part):
    """What the last estimator predicts; it knows classes by their positions."""

    def probabilities(self, model: Any, members: Members, inputs: Inputs) -> str:
        """See Part."""
        return members.probabilities(model.final_estimator_, _stacked(model, members, inputs))

    def decisions(self, model: Any, members: Members, inputs: Inputs) -> str:
        """See Part."""
        return members.decisions(model.final_estimator_, _stacked(model, members, inputs))

    def places(self, model: Any, members: Members, inputs: Inputs) -> str:
        """See Part."""
        return members.places(model.final_estimator_, _stacked(model, members, inputs))

    def values(self, model: Any, members: Members, inputs: Inputs) -> str:
        """See Part."""
        return members.values(model.final_estimator_, _stacked(model, members, inputs))


def _stacked(model: Any, members: Members, inputs: Inputs) -> Inputs:
    """Return the columns of the last estimator."""
    methods = getattr(model, "stack_method_", ["predict"] * len(model.estimators_))
    blocks = [
        _block(one, method, model, members, inputs)
        for one, method in zip(model.estimators_, methods, strict=True)
    ]
    if model.passthrough:
        blocks.append(members.matrix(inputs))
    return members.stack(blocks, model.final_estimator_)


def _block(one: Any, method: str, model: Any, members: Members, inputs: Inputs) -> str:
    """Write the columns that one of the first estimators gives; of two probabilities the second."""
    if method == "decision_function":
        return members.decisions(one, inputs)
    if method == "predict_proba":
        probabilities = members.probabilities(one, inputs)
        return members.pick(probabilities, [1]) if len(model.classes_) == TWO else probabilities
    if not hasattr(one, "classes_"):
        return members.values(one, inputs)
    if one.classes_.dtype.kind in "UO":
        raise NotImplementedError(f"labels of text of the {type(one).__name__} inside as numbers")
    labels = members.lookup(one.classes_.astype(np.float32), members.places(one, inputs))
    return members.column(labels)
