"""What the quantised model loses against the original, as entries of metrics.json.

A loss has its standard error beside it, under its key with ``_se``. It is that of the paired
difference: both models predict the same rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.evaluate.scoring import Scoring
from onnxpress.limits import (
    BRIER,
    DISAGREEMENT,
    ERROR_QUANTILES,
    LOG_LOSS,
    MAX_ERROR,
    RECALL,
    SCORE,
    TARGET,
)
from onnxpress.models import QUANTIZED
from onnxpress.runtime.predictions import Predictions, as_labels
from onnxpress.scores.calibration import calibration_error
from onnxpress.scores.errors import GROUPS, MOST_SCORES, jackknife
from onnxpress.scores.losses import MIN_CLASS_ROWS, Limit, Loss, measured_losses
from onnxpress.scores.score import Label
from onnxpress.tables.mapped import shuffled, spans

CALIBRATION_ERROR = "calibration_error"
AS_THEY_ARE = {RECALL, TARGET, DISAGREEMENT}
"""Losses whose key has the name of a loss already; to the others ``_drop`` is added."""


def losses_of(
    scoring: Scoring,
    target: NDArray[Any],
    before: Predictions,
    after: Predictions,
    limit: Limit,
) -> dict[str, Loss]:
    """Return by key what ``after`` loses on rows with this ``target`` (rows,).

    The keys are those of limits that apply to the models, without the largest difference, which
    has no error. Regressors agree within ``limit``, in the unit of the target.
    """
    keys = [SCORE, DISAGREEMENT, *scoring.named]
    if not scoring.classes:
        keys += [TARGET] if before.width > 1 else []
        keys += [f"{MAX_ERROR}_p{percent}" for percent in ERROR_QUANTILES]
    else:
        keys += [RECALL, *((LOG_LOSS, BRIER) if before.proper else ())]
    before, after = scoring.in_order(before), scoring.in_order(after)
    found = measured_losses(keys, scoring.score, target, before, after, limit=limit)
    if scoring.classes and before.proper:
        found[CALIBRATION_ERROR] = _calibration_loss(target, before, after, scoring.classes)
    return found


def loss_metrics(losses: Mapping[str, Loss]) -> dict[str, float]:
    """Return the losses of the quantised model under their keys in metrics.json.

    A value that is undefined is NaN.
    """
    metrics: dict[str, float] = {}
    for key, loss in losses.items():
        plain = key in AS_THEY_ARE or key.startswith(MAX_ERROR)
        name = f"{QUANTIZED}_{key}" if plain else f"{QUANTIZED}_{key}_drop"
        metrics |= {name: loss.value, f"{name}_se": loss.error}
        if loss.upper is not None:
            metrics[f"{name}_upper"] = loss.upper
    return metrics


def count_rows(
    scoring: Scoring, target: NDArray[Any], before: Predictions, after: Predictions
) -> dict[str, float]:
    """Count the rows that decide about labels: those that only one of two models is right on.

    ``target`` is (rows,). Also counts the classes with rows enough to tell a loss of recall.
    """
    if not scoring.classes:
        return {}
    truth = as_labels(target)
    labels = [as_labels(each.values) for each in (before, after)]
    lost = won = 0
    rows = np.zeros(len(scoring.classes), np.int64)
    for span in spans(len(truth)):
        one, other = (each[span] == truth[span] for each in labels)
        lost, won = lost + np.sum(one & ~other), won + np.sum(other & ~one)
        rows += [np.count_nonzero(truth[span] == label) for label in scoring.classes]
    return {
        f"{QUANTIZED}_rows_lost": int(lost),
        f"{QUANTIZED}_rows_won": int(won),
        f"{QUANTIZED}_recall_classes": int(np.count_nonzero(rows >= MIN_CLASS_ROWS)),
    }


def _calibration_loss(
    target: NDArray[Any], before: Predictions, after: Predictions, classes: tuple[Label, ...]
) -> Loss:
    """Return what ``after`` loses of calibration; the jackknife gives the standard error."""

    def loss(rows: NDArray[Any] | slice) -> float:
        errors = [calibration_error(target[rows], each.take(rows), classes) for each in pair]
        return errors[1] - errors[0]

    pair, size = (before, after), len(target)
    drawn = np.array(shuffled(size, 0)[: MOST_SCORES // len(classes)])
    value = loss(slice(None))
    if size < 2 or math.isnan(value):
        return Loss(CALIBRATION_ERROR, value, math.nan, size)
    groups = np.arange(len(drawn)) % min(GROUPS, len(drawn))
    without = [loss(drawn[groups != group]) for group in range(groups.max() + 1)]
    error = jackknife(loss(drawn), np.array(without), np.bincount(groups))
    return Loss(CALIBRATION_ERROR, value, error * math.sqrt(len(drawn) / size), size)
