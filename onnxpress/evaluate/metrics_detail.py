"""The content of metrics_detail.json: what the metrics are about, and what lies behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from numpy.typing import NDArray

from onnxpress.evaluate.deciding_rows import deciding_rows
from onnxpress.evaluate.loss_lines import loss_lines, recall_lines, worse_probabilities
from onnxpress.evaluate.scoring import Scoring
from onnxpress.models import MODEL_KEYS
from onnxpress.runtime.predictions import Predictions
from onnxpress.scores.calibration import reliability
from onnxpress.scores.losses import Loss
from onnxpress.scores.score import Score


def metrics_detail(
    scoring: Scoring,
    target: NDArray[Any],
    predictions: list[Predictions],
    metrics: Mapping[str, float],
    losses: Mapping[str, Loss],
) -> dict[str, Any]:
    """Return the names of the scores, the findings, the bins of reliability, the rows that decide.

    ``target`` is (rows,), and ``predictions`` are those of the three models. The findings are lines
    about their ``metrics`` and ``losses``. ``reliability`` is null for models without
    probabilities, and ``worse_probabilities`` where they are not worse.
    """
    score = scoring.score
    ordered = [scoring.in_order(each) for each in predictions]
    return {
        "score": {"name": score.name, "positive": score.positive},
        "also": [name for name in scoring.named if name != score.name],
        "findings": [*loss_lines(metrics), *recall_lines(losses)],
        "worse_probabilities": worse_probabilities(metrics),
        "reliability": _reliability(score, target, ordered),
        "deciding": deciding_rows(score, target, ordered[0], ordered[-1]).to_json(),
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
