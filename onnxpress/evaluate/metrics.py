"""The content of metrics.json: flat, numbers only, undefined values left out.

The three models are always in the order of :data:`onnxpress.models.MODEL_KEYS`, whose keys are the
prefixes of the names.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.evaluate.agreement import (
    count_disagreeing,
    label_agreement,
    largest_difference,
    largest_score_difference,
    share_within,
)
from onnxpress.evaluate.loss_metrics import count_rows, loss_metrics
from onnxpress.evaluate.probes.threshold_rows import ThresholdRows
from onnxpress.evaluate.score_differences import score_differences
from onnxpress.evaluate.score_metrics import score_metrics
from onnxpress.evaluate.scoring import Scoring
from onnxpress.models import MODEL_KEYS
from onnxpress.runtime.predictions import Predictions
from onnxpress.scores.bounds import upper_bound
from onnxpress.scores.losses import Limit, Loss
from onnxpress.tables.mapped import row_by_row
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
    schema: Schema,
    target: NDArray[Any],
    predictions: list[Predictions],
    tolerance: float,
    scoring: Scoring,
) -> dict[str, float]:
    """Return the scores of the three models on the test rows, and how far two are from the first.

    ``target`` is (rows,). ``tolerance`` is in standard deviations of the training rows' target.
    """
    limit = in_unit_of_target(tolerance, schema)
    metrics = score_metrics(scoring, target, predictions)
    if schema.task == "classification":
        metrics |= _compare_classifiers(metrics, predictions)
    else:
        metrics |= _compare_regressors(metrics, target, predictions, limit)
    other, rows = count_disagreeing(schema.task, predictions[0], predictions[1], limit), len(target)
    metrics["onnx_disagreement_upper"] = upper_bound(other, rows)
    return _defined({**metrics, "test_rows": rows})


def compare_losses(
    losses: Mapping[str, Loss],
    target: NDArray[Any],
    predictions: list[Predictions],
    scoring: Scoring,
) -> dict[str, float]:
    """Return what the quantised model loses on the test rows, and which of them decide it.

    ``target`` is (rows,).
    """
    original, _, quantized = predictions
    counts = count_rows(scoring, target, original, quantized)
    return _defined({**loss_metrics(losses), **counts})


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
        "onnx_tied_rows": found.ties,
    }
    return _defined(metrics)


def compare_on_probes(
    schema: Schema, predictions: list[Predictions], tolerance: float
) -> dict[str, float]:
    """Return the shares of probe rows that ONNX and quantised model predict as the original does.

    ``tolerance`` is in standard deviations of the training rows' target.
    """
    original, metrics, rows = predictions[0], {}, len(predictions[0].values)
    limit = in_unit_of_target(tolerance, schema)
    what = "agreement" if schema.task == "classification" else "within_tolerance"
    for name, other in _converted(predictions):
        count = count_disagreeing(schema.task, original, other, limit)
        metrics[f"{name}_probe_{what}"] = 1 - count / rows
    metrics["quantized_probe_disagreement"] = count / rows
    metrics["quantized_probe_disagreement_upper"] = upper_bound(count, rows)
    return _defined({**metrics, "probe_rows": rows})


def count_thresholds(at: ThresholdRows) -> dict[str, float]:
    """Return how many thresholds the trees of model.onnx have, and how many the probes hit.

    Without trees there is nothing to count.
    """
    if not at.operators:
        return {}
    return {"probe_thresholds": at.thresholds, "probe_thresholds_hit": at.hit}


def _compare_classifiers(
    scores: Mapping[str, float], predictions: list[Predictions]
) -> dict[str, float]:
    loss = scores["original_accuracy"] - scores["quantized_accuracy"]
    metrics = {"accuracy_loss_pp": 100 * loss}
    original = predictions[0]
    what = "probability" if original.proper else "score"
    for name, other in _converted(predictions):
        metrics[f"{name}_agreement"] = label_agreement(original, other)
        metrics[f"{name}_max_{what}_diff"] = largest_score_difference(original, other)
    return metrics


def _compare_regressors(
    scores: Mapping[str, float],
    target: NDArray[Any],
    predictions: list[Predictions],
    limit: Limit,
) -> dict[str, float]:
    metrics = {"r2_loss": scores["original_r2"] - scores["quantized_r2"]}
    for name, each in zip(MODEL_KEYS, predictions, strict=True):
        squares = row_by_row(lambda one, other: (one - other) ** 2, target, each.values)
        of_each = np.sqrt(np.mean(squares, axis=0))
        metrics[f"{name}_rmse"] = float(np.mean(of_each))
    original = predictions[0]
    for name, other in _converted(predictions):
        metrics[f"{name}_max_abs_diff"] = largest_difference(original, other)
        metrics[f"{name}_within_tolerance"] = share_within(original, other, limit)
    return metrics


def _converted(predictions: list[Predictions]) -> list[tuple[str, Predictions]]:
    """Return the ONNX and the quantised model's predictions with their keys."""
    return list(zip(MODEL_KEYS, predictions, strict=True))[1:]


def in_unit_of_target(tolerance: float, schema: Schema) -> Limit:
    """Return the tolerance of regressors, in standard deviations, in the unit of each target."""
    if isinstance(schema.target_std, tuple):
        return tolerance * np.array(schema.target_std)
    return tolerance * (schema.target_std or 0)


def _defined(metrics: dict[str, float]) -> dict[str, float]:
    return {key: value for key, value in metrics.items() if math.isfinite(value)}
