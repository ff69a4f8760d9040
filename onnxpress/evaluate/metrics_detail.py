"""The content of metrics_detail.json: what the metrics are about, and what lies behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from numpy.typing import NDArray

from onnxpress.evaluate.deciding_rows import deciding_rows
from onnxpress.models import MODEL_KEYS
from onnxpress.runtime.predictions import Predictions
from onnxpress.scores.calibration import reliability
from onnxpress.scores.score import Score


def metrics_detail(
    score: Score, also: Sequence[str], target: NDArray[Any], predictions: list[Predictions]
) -> dict[str, Any]:
    """Return the names of the scores, the bins of reliability, and the rows that decide.

    ``also`` are the names of the further scores, ``target`` is (rows,), and ``predictions`` are
    those of the three models. ``reliability`` is null for models without probabilities.
    """
    original, _, quantized = predictions
    return {
        "score": {"name": score.name, "positive": score.positive},
        "also": list(also),
        "reliability": _reliability(score, target, predictions),
        "deciding": deciding_rows(score, target, original, quantized).to_json(),
    }


def _reliability(
    score: Score, target: NDArray[Any], predictions: list[Predictions]
) -> dict[str, list[dict[str, float]]] | None:
    """Return the bins of each model by its key; None unless all three have probabilities."""
    found = {}
    for key, each in zip(MODEL_KEYS, predictions, strict=True):
        bins = reliability(target, each, score.classes)
        if not bins:
            return None
        found[key] = [asdict(entry) for entry in bins]
    return found
