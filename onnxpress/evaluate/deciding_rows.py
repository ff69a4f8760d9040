"""The test rows on which the quantised model's score depends: each with what it is worth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.limits import is_ndcg
from onnxpress.runtime.predictions import Predictions
from onnxpress.scores.row_losses import row_losses
from onnxpress.scores.score import Score

MOST_TRIED = 60
"""Rows whose effect is computed where each takes the score of all rows once."""
MOST_LISTED = 20
ROUNDING = 1e-9
"""Differences by rounding are smaller, as a share of the score where that is below 1."""


@dataclass(frozen=True)
class DecidingRow:
    """A row that moves the score."""

    row: int
    """Its number among the test rows, from 0."""
    effect: float
    """The quantised model's score less that with the original's answer for this row."""
    probabilities: tuple[float, float] | None
    """The true class's probability from the original and the quantised model, where they exist."""

    def to_json(self) -> dict[str, Any]:
        """Return the entry of this row in metrics_detail.json."""
        entry: dict[str, Any] = {"row": self.row, "effect": self.effect}
        if self.probabilities is not None:
            original, quantized = self.probabilities
            entry |= {"original_probability": original, "quantized_probability": quantized}
        return entry


@dataclass(frozen=True)
class DecidingRows:
    """The rows that move a score most."""

    rows: list[DecidingRow]
    """The largest effect first, at most :data:`MOST_LISTED`."""
    moving: int
    """How many rows were found to move it."""
    all_tried: bool
    """Whether every row that can move it was tried."""

    def to_json(self) -> dict[str, Any]:
        """Return the entry ``deciding`` of metrics_detail.json."""
        rows = [row.to_json() for row in self.rows]
        return {"rows": rows, "moving": self.moving, "all_tried": self.all_tried}


def deciding_rows(
    score: Score, target: NDArray[Any], before: Predictions, after: Predictions
) -> DecidingRows:
    """Find the rows on which the score of ``after`` would change with the answer of ``before``.

    ``target`` is (rows,). If the score is a mean over rows, that is a difference for each row. Else
    only the :data:`MOST_TRIED` rows are tried whose answers, or probabilities of the true class,
    differ most: trying one takes the score of all rows.
    """
    losses = [row_losses(score, target, each) for each in (before, after)]
    if losses[0] is not None and losses[1] is not None:
        gained = losses[0] - losses[1]
        moving = np.flatnonzero(np.isfinite(gained) & (np.abs(gained) > ROUNDING))
        effects = gained / len(target)
        # effects -0.1, 0.2, -0.2: the largest first, and of equal ones what was lost
        order = moving[np.lexsort((effects[moving], -np.abs(effects[moving])))][:MOST_LISTED]
        listed = []
        for row in order.tolist():
            chances = _probabilities(row, score, target, before, after)
            listed.append(DecidingRow(row, float(effects[row]), chances))
        return DecidingRows(listed, len(moving), all_tried=True)
    return _by_trying(score, target, before, after)


def _by_trying(
    score: Score, target: NDArray[Any], before: Predictions, after: Predictions
) -> DecidingRows:
    """Find them with the answers of ``before`` in one row after the other."""
    difference = _difference(score, target, before, after)
    order = np.argsort(-difference, kind="stable")[: np.count_nonzero(difference > 0)]
    tried = order[:MOST_TRIED]
    reached = score(target, after)
    least = ROUNDING * min(1.0, abs(reached))
    found = []
    for row in tried.tolist():
        effect = reached - score(target, _restored(after, before, row))
        if np.isfinite(effect) and abs(effect) > least:
            found.append(
                DecidingRow(row, effect, _probabilities(row, score, target, before, after))
            )
    found.sort(key=lambda each: (-abs(each.effect), each.effect, each.row))
    return DecidingRows(found[:MOST_LISTED], len(found), len(order) == len(tried))


def _restored(after: Predictions, before: Predictions, row: int) -> Predictions:
    """Return the predictions ``after`` with the answer of ``before`` in one row."""
    values = after.values.copy()
    values[row] = before.values[row]
    if after.scores is None or before.scores is None:
        return replace(after, values=values)
    scores = after.scores.copy()
    scores[row] = before.scores[row]
    return replace(after, values=values, scores=scores)


def _difference(
    score: Score, target: NDArray[Any], before: Predictions, after: Predictions
) -> NDArray[np.float64]:
    """Return how much a row can move the score, (rows,); 0 if it cannot.

    Labels: 2 where one model alone is right, 1 where the labels differ and both are wrong.
    Scores: the largest difference of a column. Numbers: that of the squared errors; of several
    targets the largest, relative to the target's variance. Numbers that rank: their difference.
    """
    if is_ndcg(score.name):
        return np.asarray(np.nan_to_num(np.abs(after.values - before.values)))
    if score.task == "regression":
        numbers = np.asarray(target, np.float64)
        errors = [(each.values - numbers) ** 2 for each in (before, after)]
        moved = np.nan_to_num(np.abs(errors[1] - errors[0]))
        if moved.ndim == 1:
            return moved
        spread = numbers.var(axis=0)
        return np.asarray((moved / np.where(spread, spread, 1.0)).max(axis=1))
    if not score.needs_scores or before.scores is None or after.scores is None:
        codes = score.encoded(target)
        labels = score.encoded(before.values), score.encoded(after.values)
        one_right = (labels[0] == codes) != (labels[1] == codes)
        return np.where(labels[0] == labels[1], 0.0, 1.0 + one_right.astype(np.float64))
    if before.scores.shape != after.scores.shape:
        return np.zeros(len(target))
    return np.asarray(np.nan_to_num(np.abs(after.scores - before.scores).max(axis=1)))


def _probabilities(
    row: int, score: Score, target: NDArray[Any], before: Predictions, after: Predictions
) -> tuple[float, float] | None:
    """Return the probability of the row's true class from both models, if they have any."""
    if score.task == "regression" or target[row] not in score.classes:
        return None
    column = score.classes.index(target[row])
    found = []
    for each in (before, after):
        if not each.proper or each.scores is None or each.scores.shape[1] != len(score.classes):
            return None
        found.append(float(each.scores[row, column]))
    return (found[0], found[1]) if np.isfinite(found).all() else None
