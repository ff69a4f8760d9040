"""metrics.json: flat, numbers only, undefined values left out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.evaluate.probes.threshold_rows import ThresholdRows
from onnxpress.evaluate.score_differences import score_differences
from onnxpress.evaluate.scores import accuracy, r2
from onnxpress.runtime.predictions import Predictions
from onnxpress.tables.rows import Feeds
from onnxpress.tables.schema import Schema

NAMES = ("original", "onnx", "quantized")


def compare_sizes(original_kb: float, onnx_kb: float, quantized_kb: float) -> dict[str, float]:
    """File sizes in KB of 1024 bytes, and the reductions against the original in percent."""
    return {
        "original_size_kb": original_kb,
        "onnx_size_kb": onnx_kb,
        "quantized_size_kb": quantized_kb,
        "onnx_size_reduction_pct": 100 * (1 - onnx_kb / original_kb),
        "quantized_size_reduction_pct": 100 * (1 - quantized_kb / original_kb),
        "quantized_vs_onnx_size_ratio": onnx_kb / quantized_kb,
    }


def compare_models(
    schema: Schema, target: NDArray[Any], answers: list[Predictions], tolerance: float
) -> dict[str, float]:
    """Scores of the three models on the test rows, and how far ONNX and quantised are from the original.

    ``answers`` are those of original, ONNX and quantised model, in that order.
    """
    if schema.task == "classification":
        metrics = _compare_classifiers(target, answers)
    else:
        metrics = _compare_regressors(target, answers, tolerance * (schema.target_std or 0))
    return _defined({**metrics, "test_rows": len(target)})


def compare_scores(
    estimator: Any, feeds: Feeds, schema: Schema, answers: list[Predictions]
) -> dict[str, float]:
    """The largest difference of a score or prediction of ONNX from the original's, relative to max(1, |score|).

    Rows at a step of the original, and those that it rounds more itself (:mod:`onnxpress.evaluate.score_differences`), are counted apart.
    """
    found = score_differences(estimator, feeds, schema, *answers[:2])
    return _defined(
        {
            "onnx_max_relative_diff": found.largest,
            "onnx_step_rows": found.steps,
            "onnx_rounded_rows": found.rounded,
        }
    )


def compare_on_probes(
    schema: Schema, answers: list[Predictions], tolerance: float
) -> dict[str, float]:
    """Share of probe rows on which ONNX and quantised model answer as the original does."""
    original, rows = answers[0].values, len(answers[0].values)
    if schema.task == "classification":
        shares = {
            f"{name}_probe_agreement": accuracy(original, answer.values)
            for name, answer in _others(answers)
        }
    else:
        limit = tolerance * (schema.target_std or 0)
        shares = {
            f"{name}_probe_within_tolerance": _within(original, answer.values, limit)
            for name, answer in _others(answers)
        }
    return _defined({**shares, "probe_rows": rows})


def count_thresholds(at: ThresholdRows) -> dict[str, float]:
    """How many thresholds the trees of model.onnx have, and how many the probes hit; nothing without trees."""
    return (
        {"probe_thresholds": at.thresholds, "probe_thresholds_hit": at.hit} if at.operators else {}
    )


def _compare_classifiers(target: NDArray[Any], answers: list[Predictions]) -> dict[str, float]:
    metrics = {
        f"{name}_accuracy": accuracy(target, answer.values)
        for name, answer in zip(NAMES, answers, strict=True)
    }
    metrics["accuracy_loss_pp"] = 100 * (
        metrics["original_accuracy"] - metrics["quantized_accuracy"]
    )
    original = answers[0]
    what = "probability" if original.proper else "score"
    for name, answer in _others(answers):
        metrics[f"{name}_agreement"] = accuracy(original.values, answer.values)
        metrics[f"{name}_max_{what}_diff"] = _max_score_diff(original.scores, answer.scores)
    return metrics


def _compare_regressors(
    target: NDArray[Any], answers: list[Predictions], limit: float
) -> dict[str, float]:
    metrics = {}
    for name, answer in zip(NAMES, answers, strict=True):
        metrics[f"{name}_r2"] = r2(target, answer.values)
        metrics[f"{name}_rmse"] = float(np.sqrt(np.mean((target - answer.values) ** 2)))
    metrics["r2_loss"] = metrics["original_r2"] - metrics["quantized_r2"]
    original = answers[0].values
    for name, answer in _others(answers):
        metrics[f"{name}_max_abs_diff"] = float(np.max(np.abs(original - answer.values)))
        metrics[f"{name}_within_tolerance"] = _within(original, answer.values, limit)
    return metrics


def _others(answers: list[Predictions]) -> list[tuple[str, Predictions]]:
    return list(zip(NAMES[1:], answers[1:], strict=True))


def _within(original: NDArray[np.float64], values: NDArray[np.float64], limit: float) -> float:
    """Share of values within ``limit``; what is not finite is so where both are the same."""
    return float(np.mean(np.isclose(values, original, rtol=0, atol=limit, equal_nan=True)))


def _max_score_diff(
    original: NDArray[np.float64] | None, scores: NDArray[np.float64] | None
) -> float:
    """Largest difference of a score; NaN where the two have no common form."""
    if original is None or scores is None:
        return math.nan
    return float(np.max(np.abs(original - scores))) if original.shape == scores.shape else math.nan


def _defined(metrics: dict[str, float]) -> dict[str, float]:
    return {key: value for key, value in metrics.items() if math.isfinite(value)}
