"""The content of metrics_detail.json: what the metrics are about, and what lies behind them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from numpy.typing import NDArray

from onnxpress.evaluate.deciding_rows import deciding_rows
from onnxpress.evaluate.loss_lines import loss_lines, worse_probabilities, worst_lines
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
        "findings": [*loss_lines(metrics), *worst_lines(losses)],
        "worse_probabilities": worse_probabilities(metrics),
        "reliability": _reliability(score, target, ordered),
        "deciding": deciding_rows(score, target, ordered[0], ordered[-1]).to_json(),
    }


def scores_of_targets(
    score: Score, targets: Sequence[str], truth: NDArray[Any], predictions: list[Predictions]
) -> list[dict[str, Any]]:
    """Return for each of several ``targets`` its name, and by model the score of that one alone.

    ``truth`` is (rows, targets). A score that is undefined is null.
    """
    alone, found = replace(score, targets=1), []
    for place, (name, column) in enumerate(zip(targets, truth.T, strict=True)):
        entry: dict[str, Any] = {"target": name}
        for key, each in zip(MODEL_KEYS, predictions, strict=True):
            value = alone(column, Predictions(each.values[:, place], None))
            entry[key] = value if math.isfinite(value) else None
        found.append(entry)
    return found


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
