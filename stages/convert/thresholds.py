"""Classifiers with a decision threshold of their own (FixedThresholdClassifier, TunedThresholdClassifierCV).

skl2onnx 1.20 has no converter for the first and leaves out the threshold of the second. Here the classifier inside is
converted, and its label replaced by a comparison of its probability.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto

from stages.common.models import LABEL, PROBABILITIES
from stages.common.writer import GraphWriter, names_of


def without_threshold(estimator: Any) -> Any:
    """The classifier inside one with a threshold, behind the same steps; any other estimator as it is."""
    from sklearn.pipeline import Pipeline

    if isinstance(estimator, Pipeline) and has_threshold(estimator[-1]):
        return Pipeline([*estimator.steps[:-1], (estimator.steps[-1][0], _inside(estimator[-1]))])
    return _inside(estimator) if has_threshold(estimator) else estimator


def has_threshold(estimator: Any) -> bool:
    """Whether ``estimator`` is of one of the two kinds."""
    from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV

    return isinstance(estimator, (FixedThresholdClassifier, TunedThresholdClassifierCV))


def apply_threshold(model: onnx.ModelProto, estimator: Any) -> None:
    """Replace, in place, the label of ``model`` by the one that the threshold of ``estimator`` gives.

    Raises:
        ValueError: the threshold is one of decision scores and not of probabilities.
    """
    last = estimator[-1] if hasattr(estimator, "steps") else estimator
    if PROBABILITIES not in {output.name for output in model.graph.output} or last.response_method == "decision_function":
        raise ValueError("its threshold is on decision scores; set response_method='predict_proba'")
    for node in model.graph.node:
        node.output[:] = ["label_by_half" if name == LABEL else name for name in node.output]
    opset = max(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    writer = GraphWriter(model.graph, opset, names_of(model))
    positive, threshold = _positive(last)
    kind = np.int64 if model.graph.output[0].type.tensor_type.elem_type == TensorProto.INT64 else object
    no, yes = (writer.constant(last.classes_[[place]].astype(kind)) for place in (1 - positive, positive))
    probability = writer.add("Gather", PROBABILITIES, writer.constant(np.array(positive)), axis=1)
    below = writer.add("Less", probability, writer.constant(np.array([threshold], np.float32)))
    writer.add("Where", below, no, yes, output=LABEL)


def _inside(estimator: Any) -> Any:
    return getattr(estimator, "estimator_", estimator.estimator)


def _positive(estimator: Any) -> tuple[int, float]:
    """The place of the positive class among the two, and the probability from which it is predicted."""
    if hasattr(estimator, "best_threshold_"):
        label, threshold = estimator._curve_scorer._get_pos_label(), estimator.best_threshold_
    else:
        label, threshold = estimator.pos_label, 0.5 if estimator.threshold == "auto" else estimator.threshold
    return (1 if label is None else int(np.flatnonzero(estimator.classes_ == label)[0])), float(threshold)
