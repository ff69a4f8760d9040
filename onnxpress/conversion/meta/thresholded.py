"""FixedThresholdClassifier and TunedThresholdClassifierCV: another threshold for two classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto

from onnxpress.conversion.meta.members import Members
from onnxpress.conversion.meta.part import Part
from onnxpress.conversion.meta.values import Inputs

_ROUNDING = 1e-5
"""Of a score in float32, relative. The shares of votes in a forest often equal a threshold: 48 of
60 is 0.8, which makes a row positive, and adds up to a little less in float32. So the ONNX model's
threshold lies lower by as much; two different shares are further apart."""


class Thresholded(Part):
    """The scores of the classifier inside, and labels by the threshold."""

    def probabilities(self, model: Any, members: Members, inputs: Inputs) -> str:
        """See Part."""
        return members.probabilities(_inside(model), inputs)

    def decisions(self, model: Any, members: Members, inputs: Inputs) -> str:
        """See Part."""
        return members.decisions(_inside(model), inputs)

    def places(self, model: Any, members: Members, inputs: Inputs) -> str:
        """See Part."""
        inside, positive = _inside(model), _positive(model)
        if _method(model, inside) == "predict_proba":
            score, half = members.pick(members.probabilities(inside, inputs), [positive]), 0.5
        else:
            score, half = members.decisions(inside, inputs), 0.0
            score = score if positive else members.add("Neg", score)
        threshold = getattr(model, "best_threshold_", getattr(model, "threshold", half))
        threshold = half if threshold == "auto" else float(threshold)
        threshold -= _ROUNDING * abs(threshold)
        flat, limit = members.flat(score), members.constant(np.array([threshold], np.float32))
        below = members.add("Less", flat, limit)
        places = below if not positive else members.add("Not", below)
        return members.add("Cast", places, to=TensorProto.INT64)


def _inside(model: Any) -> Any:
    return getattr(model, "estimator_", model.estimator)


def _method(model: Any, inside: Any) -> str:
    """Name the method whose scores the threshold is for."""
    if model.response_method != "auto":
        return str(model.response_method)
    return "predict_proba" if hasattr(inside, "predict_proba") else "decision_function"


def _positive(model: Any) -> int:
    """Return the position of the positive class."""
    tuned = hasattr(model, "best_threshold_")
    label = model._curve_scorer._get_pos_label() if tuned else model.pos_label
    return 1 if label is None else int(np.flatnonzero(model.classes_ == label)[0])
