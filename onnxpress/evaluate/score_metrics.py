"""The scores of the three models, as entries of metrics.json."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from onnxpress.evaluate.scoring import Scoring
from onnxpress.models import MODEL_KEYS
from onnxpress.runtime.predictions import Predictions
from onnxpress.scores.calibration import calibration_error
from onnxpress.scores.losses import SCORER_OF, recalls


def score_metrics(
    scoring: Scoring, target: NDArray[Any], predictions: list[Predictions]
) -> dict[str, float]:
    """Return what the three models score on rows with this ``target`` (rows,).

    These are the recorded scores by name and, of classifiers, the lowest recall of a class that has
    a row, log loss, Brier score and calibration error. A value that is undefined is NaN.
    """
    metrics = {}
    for model, each in zip(MODEL_KEYS, predictions, strict=True):
        ordered = scoring.in_order(each)
        for name, score in scoring.named.items():
            metrics[f"{model}_{name}"] = score(target, ordered)
        if scoring.classes:
            of_classes = _of_classes(scoring, target, ordered)
            metrics |= {f"{model}_{key}": value for key, value in of_classes.items()}
    return metrics


def _of_classes(
    scoring: Scoring, target: NDArray[Any], predictions: Predictions
) -> dict[str, float]:
    found = recalls(target, predictions.values, scoring.classes).values()
    metrics = {
        "recall_worst": min((each for each in found if not math.isnan(each)), default=math.nan),
        "calibration_error": calibration_error(target, predictions, scoring.classes),
    }
    for key, name in SCORER_OF.items() if predictions.proper else ():
        metrics[key] = -replace(scoring.score, name=name)(target, predictions)
    return metrics
