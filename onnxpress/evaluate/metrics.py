"""The content of metrics.json: flat, numbers only, undefined values left out.

The three models are always in the order of :data:`onnxpress.models.MODEL_KEYS`, whose keys are the
prefixes of the names.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.evaluate.agreement import (
    label_agreement,
    largest_difference,
    largest_score_difference,
    share_within,
)
from onnxpress.evaluate.probes.threshold_rows import ThresholdRows
from onnxpress.evaluate.score_differences import score_differences
from onnxpress.evaluate.scores import accuracy, r2
from onnxpress.models import MODEL_KEYS
from onnxpress.runtime.predictions import Predictions
from onnxpress.tables.rows import Feeds
from onnxpress.tables.schema import Schema


def compare_sizes(original_kb: float, onnx_kb: float, quantized_kb: float) -> dict[str, float]:
    """Return file sizes in KB of 1024 bytes, and the reductions against the original in percent."""
    return {
        "original_size_kb": original_kb,
        "onnx_size_kb": onnx_kb,
        "quantized_size_kb": quantized_kb,
        "onnx_size_reduction_pct": 100 * (1 - onnx_kb / original_kb),
        "quantized_size_reduction_pct": 100 * (1 - quantized_kb / original_kb),
        "quantized_vs_onnx_size_ratio": onnx_kb / quantized_kb,
    }


def compare_models(
    schema: Schema, target: NDArray[Any], predictions: list[Predictions], tolerance: float
) -> dict[str, float]:
    """Return the scores of the three models on the test rows, and how far two are from the first.

    ``target`` is (rows,). ``tolerance`` is in standard deviations of the training rows' target.
    """
    if schema.task == "classification":
        metrics = _compare_classifiers(target, predictions)
    else:
        metrics = _compare_regressors(target, predictions, _limit(schema, tolerance))
    return _defined({**metrics, "test_rows": len(target)})


def compare_scores(
    estimator: Any, feeds: Feeds, schema: Schema, predictions: list[Predictions]
) -> dict[str, float]:
    """Return the largest relative difference of an ONNX score from the original's.

    Rows at a step of the original, and rows that it rounds more itself, are counted apart: see
    :mod:`onnxpress.evaluate.original_rounding`.
    """
    original, converted, _ = predictions
    found = score_differences(estimator, feeds, schema, original, converted)
    metrics = {
        "onnx_max_relative_diff": found.largest,
        "onnx_step_rows": found.steps,
        "onnx_rounded_rows": found.rounded,
    }
    return _defined(metrics)


def compare_on_probes(
    schema: Schema, predictions: list[Predictions], tolerance: float
) -> dict[str, float]:
    """Return the shares of probe rows that ONNX and quantised model predict as the original does.

    ``tolerance`` is in standard deviations of the training rows' target.
    """
    original, shares = predictions[0], {}
    for name, other in _converted(predictions):
        if schema.task == "classification":
            shares[f"{name}_probe_agreement"] = label_agreement(original, other)
        else:
            share = share_within(original, other, _limit(schema, tolerance))
            shares[f"{name}_probe_within_tolerance"] = share
    return _defined({**shares, "probe_rows": len(original.values)})


def count_thresholds(at: ThresholdRows) -> dict[str, float]:
    """Return how many thresholds the trees of model.onnx have, and how many the probes hit.

    Without trees there is nothing to count.
    """
    if not at.operators:
        return {}
    return {"probe_thresholds": at.thresholds, "probe_thresholds_hit": at.hit}


def _compare_classifiers(target: NDArray[Any], predictions: list[Predictions]) -> dict[str, float]:
    metrics = {}
    for name, each in zip(MODEL_KEYS, predictions, strict=True):
        metrics[f"{name}_accuracy"] = accuracy(target, each.values)
    loss = metrics["original_accuracy"] - metrics["quantized_accuracy"]
    metrics["accuracy_loss_pp"] = 100 * loss
    original = predictions[0]
    what = "probability" if original.proper else "score"
    for name, other in _converted(predictions):
        metrics[f"{name}_agreement"] = label_agreement(original, other)
        metrics[f"{name}_max_{what}_diff"] = largest_score_difference(original, other)
    return metrics


def _compare_regressors(
    target: NDArray[Any], predictions: list[Predictions], limit: float
) -> dict[str, float]:
    metrics = {}
    for name, each in zip(MODEL_KEYS, predictions, strict=True):
        metrics[f"{name}_r2"] = r2(target, each.values)
        metrics[f"{name}_rmse"] = float(np.sqrt(np.mean((target - each.values) ** 2)))
    metrics["r2_loss"] = metrics["original_r2"] - metrics["quantized_r2"]
    original = predictions[0]
    for name, other in _converted(predictions):
        metrics[f"{name}_max_abs_diff"] = largest_difference(original, other)
        metrics[f"{name}_within_tolerance"] = share_within(original, other, limit)
    return metrics


def _converted(predictions: list[Predictions]) -> list[tuple[str, Predictions]]:
    """Return the ONNX and the quantised model's predictions with their keys."""
    return list(zip(MODEL_KEYS, predictions, strict=True))[1:]


def _limit(schema: Schema, tolerance: float) -> float:
    """Return the tolerance in the unit of the target."""
    return tolerance * (schema.target_std or 0)


def _defined(metrics: dict[str, float]) -> dict[str, float]:
    return {key: value for key, value in metrics.items() if math.isfinite(value)}
