"""What a model loses against another on the same rows, each loss with its standard error."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.limits import (
    BRIER,
    COUNTS_ROUNDING,
    DISAGREEMENT,
    LOG_LOSS,
    MAX_ERROR,
    RECALL,
    SCORE,
    TARGET,
    WITHIN,
    error_quantile,
    rounding,
)
from onnxpress.runtime.predictions import Predictions, as_labels, in_any_column
from onnxpress.scores.bounds import upper_bound
from onnxpress.scores.errors import mean_error, score_error
from onnxpress.scores.score import Label, Score
from onnxpress.tables.mapped import copy_of, row_by_row, spans, where

MIN_CLASS_ROWS = 50
"""Rows from which on the recall of a class can be told: one row is then 0.02 of it or less, which
is the default limit on calibration rows."""

NAMED = 4
"""Classes with too few rows that are named."""

CHANCE_ROWS = 20
"""Of a class with fewer than ``MIN_CLASS_ROWS`` rows but so many, the loss of one is chance."""

NORMAL_95 = 1.645
"""Standard errors above its mean that a normal variable is below in 95 % of the cases."""

Limit = float | NDArray[np.float64]
"""How far two predictions may be apart: of one target, or of each of several (targets,)."""

SCORER_OF = {LOG_LOSS: "neg_log_loss", BRIER: "neg_brier_score"}
"""Losses that are a score of scikit-learn with the other sign."""


@dataclass(frozen=True)
class Loss:
    """How much worse the second of two models is."""

    key: str
    value: float
    """How much worse; negative where it is better, NaN where it cannot be told."""
    error: float
    """Standard error of the paired difference, in the same unit; NaN where it cannot be told."""
    rows: int
    """Rows that it is computed on: for the recall of a class, rows of the class."""
    upper: float | None = None
    """Its one-sided 95 % upper bound: of a share of rows the exact one, else by :func:`bounded`."""
    about: str = ""
    """What it is of, in words: the class whose recall it is, and classes with too few rows."""
    rare_lost: int = 0
    """Rows that a class too small to tell has lost net, beyond the one that is chance in a
    class of ``CHANCE_ROWS`` rows; the most of any."""
    rounding: float = COUNTS_ROUNDING
    """A value that is above a limit by less is equal to it."""


def measured_losses(
    keys: Iterable[str],
    score: Score,
    target: NDArray[Any],
    before: Predictions,
    after: Predictions,
    *,
    limit: Limit = 0.0,
) -> dict[str, Loss]:
    """Measure what ``after`` loses against ``before`` on the same rows.

    Args:
        keys: of limits, see :mod:`onnxpress.limits`, that fit the task.
        score: what ``score`` means, and the classes.
        target: what is right, (rows,).
        before: predictions of the model that is the measure.
        after: predictions of the other model.
        limit: regression: how far two predictions may be apart and still agree, in the target's
            unit; of several targets one for each, and all have to agree.

    Returns:
        The loss for each key, in their order.
    """
    return {key: _loss(key, score, target, before, after, limit) for key in keys}


def _loss(
    key: str,
    score: Score,
    target: NDArray[Any],
    before: Predictions,
    after: Predictions,
    limit: Limit,
) -> Loss:
    if key == RECALL:
        return worst_recall_loss(target, before.values, after.values, score.classes)
    if key == TARGET:
        return worst_target_loss(score, target, before, after)
    if key in (DISAGREEMENT, WITHIN):
        return _disagreement(key, score, before, after, limit)
    if key == MAX_ERROR or error_quantile(key) is not None:
        return _distance(key, before, after)
    named = score if key == SCORE else replace(score, name=SCORER_OF.get(key, key))
    value = named(target, before) - named(target, after)
    error = math.nan if math.isnan(value) else score_error(named, target, before, after)
    return Loss(key, value, error, len(target), rounding=rounding(named.name))


def bounded(loss: Loss) -> Loss:
    """Return the loss with an upper bound, by the normal distribution where it has none.

    As it is where its error cannot be told.
    """
    if loss.upper is not None or math.isnan(loss.error):
        return loss
    return replace(loss, upper=loss.value + NORMAL_95 * loss.error)


def worst_target_loss(
    score: Score, target: NDArray[Any], before: Predictions, after: Predictions
) -> Loss:
    """Return the largest loss of the score of a single target of several, (rows, targets).

    NaN if that of a target cannot be told.
    """
    found = []
    for place, column in enumerate(np.transpose(target)):
        one, other = (Predictions(each.values[:, place], None) for each in (before, after))
        loss = _loss(SCORE, replace(score, targets=1), column, one, other, limit=0.0)
        found.append(replace(loss, key=TARGET, about=f"target {place + 1} of {score.targets}"))
    return max(found, key=lambda loss: math.inf if math.isnan(loss.value) else loss.value)


def _disagreement(
    key: str, score: Score, before: Predictions, after: Predictions, limit: Limit
) -> Loss:
    """The share of rows with another label, or with numbers further apart than ``limit``."""
    if score.task == "classification":
        differs = row_by_row(np.not_equal, as_labels(before.values), as_labels(after.values))
    else:
        differs = row_by_row(partial(_apart, limit=limit), before.values, after.values)
    rows, count = len(differs), int(np.count_nonzero(differs))
    if not rows:
        return Loss(key, math.nan, math.nan, 0, upper=1.0)
    return Loss(key, count / rows, mean_error(differs), rows, upper=upper_bound(count, rows))


def _apart(one: NDArray[np.float64], other: NDArray[np.float64], limit: Limit) -> NDArray[np.bool_]:
    return in_any_column(~np.isclose(other, one, rtol=0, atol=limit, equal_nan=True))


def _distance(key: str, before: Predictions, after: Predictions) -> Loss:
    """The largest distance of two predictions, or a quantile of it, in the target's unit.

    Of several targets, a row counts with the largest of its distances.
    """
    distances = copy_of(row_by_row(_distances, before.values, after.values))
    distances.sort()
    rows = len(distances)
    if not rows:
        return Loss(key, math.nan, math.nan, 0)
    share = error_quantile(key)
    if share is None:
        return Loss(key, float(distances[-1]), math.nan, rows)
    error = _quantile_error(distances, share)  # while they are sorted
    value = float(np.quantile(distances, share, method="higher", overwrite_input=True))
    return Loss(key, value, error, rows)


def _distances(before: NDArray[np.float64], after: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distances of predictions, (rows,): 0 of two that are the same."""
    with np.errstate(invalid="ignore"):
        distances = np.abs(after.astype(np.float64) - before)
    same = (before == after) | (np.isnan(before) & np.isnan(after))
    distances = np.where(same, 0, np.nan_to_num(distances, nan=np.inf, posinf=np.inf))
    return distances if distances.ndim == 1 else np.asarray(distances.max(axis=1))


def _quantile_error(ordered: NDArray[np.float64], share: float) -> float:
    """Return half the distance of the order statistics one standard error of the count around.

    Woodruff, Confidence intervals for medians and other position measures, JASA 47 (1952).
    """
    rows = len(ordered)
    spread = math.sqrt(rows * share * (1 - share))
    low, high = (math.ceil(rows * share + side * spread) - 1 for side in (-1, 1))
    if low < 0 or high >= rows or not np.isfinite(ordered[high]):
        return math.nan
    return float(ordered[high] - ordered[low]) / 2


def recalls(
    target: NDArray[Any], values: NDArray[Any], classes: tuple[Label, ...]
) -> dict[Label, float]:
    """Return the recall of each class: the share of its rows that are labelled right.

    ``target`` and ``values`` are (rows,). NaN for a class without rows.
    """
    target, values = as_labels(target), as_labels(values)
    found = {}
    for label in classes:
        rows = right = 0
        for span in spans(len(target)):
            own = target[span] == label
            rows, right = rows + np.sum(own), right + np.sum(own & (values[span] == label))
        found[label] = float(right / rows) if rows else math.nan
    return found


def _lost(label: Label, before: NDArray[Any], after: NDArray[Any]) -> NDArray[np.int8]:
    """Return 1 where only the label before is this one, -1 where only that after is, (rows,)."""
    found: NDArray[np.int8] = (before == label).astype(np.int8) - (after == label).astype(np.int8)
    return found


def worst_recall_loss(
    target: NDArray[Any],
    before: NDArray[Any],
    after: NDArray[Any],
    classes: tuple[Label, ...],
) -> Loss:
    """Return the largest loss of recall of any class with ``MIN_CLASS_ROWS`` rows or more.

    ``target`` and the labels ``before`` and ``after`` are (rows,). NaN if every class is smaller.
    """
    target, before, after = (as_labels(labels) for labels in (target, before, after))
    worst, rare, rare_lost = Loss(RECALL, math.nan, math.nan, 0), [], 0
    for label in classes:
        own = row_by_row(partial(np.equal, label), target)
        lost = where(row_by_row(partial(_lost, label), before, after), own)
        if len(lost) < MIN_CLASS_ROWS:
            rare.append(f"{label!r} ({len(lost)})")
            rare_lost = max(rare_lost, int(lost.sum()) - (len(lost) >= CHANCE_ROWS))
        elif not lost.mean() <= worst.value:  # also if that is NaN
            about = f"class {label!r}"
            worst = Loss(RECALL, float(lost.mean()), mean_error(lost), len(lost), about=about)
    if rare:
        more = f" and {len(rare) - NAMED} more" if len(rare) > NAMED else ""
        named = ", ".join(rare[:NAMED]) + more
        few = f"fewer than {MIN_CLASS_ROWS} rows, too few to tell: {named}"
        worst = replace(worst, about="; ".join(filter(None, [worst.about, few])))
    return replace(worst, rare_lost=rare_lost)
