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
from onnxpress.tables.mapped import copy_of, room, row_by_row, spans

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
        rows, effects, moving = _largest(losses[0], losses[1])
        listed = []
        for row, effect in zip(rows.tolist(), effects.tolist(), strict=True):
            chances = _probabilities(row, score, target, before, after)
            listed.append(DecidingRow(row, effect, chances))
        return DecidingRows(listed, moving, all_tried=True)
    return _by_trying(score, target, before, after)


def _largest(
    before: NDArray[np.float64], after: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.float64], int]:
    """Return the rows of the largest effects, these, and how many rows have one.

    ``before`` and ``after`` are the losses of both models, (rows,).
    """
    rows, effects, moving = np.zeros(0, np.intp), np.zeros(0), 0
    for span in spans(len(before)):
        gained = before[span] - after[span]
        own = np.flatnonzero(np.isfinite(gained) & (np.abs(gained) > ROUNDING))
        rows = np.concatenate([rows, span.start + own])
        effects = np.concatenate([effects, gained[own] / len(before)])
        # effects -0.1, 0.2, -0.2: the largest first, and of equal ones what was lost
        order = np.lexsort((rows, effects, -np.abs(effects)))[:MOST_LISTED]
        rows, effects, moving = rows[order], effects[order], moving + len(own)
    return rows, effects, moving


def _by_trying(
    score: Score, target: NDArray[Any], before: Predictions, after: Predictions
) -> DecidingRows:
    """Find them with the answers of ``before`` in one row after the other."""
    tried, differing = _most_different(_difference(score, target, before, after))
    reached = score(target, after)
    least = ROUNDING * min(1.0, abs(reached))
    mixed, found = _copy(after, before), []
    for row in tried.tolist():
        _answer_as(before, mixed, row)
        effect = reached - score(target, mixed)
        _answer_as(after, mixed, row)
        if np.isfinite(effect) and abs(effect) > least:
            found.append(
                DecidingRow(row, effect, _probabilities(row, score, target, before, after))
            )
    found.sort(key=lambda each: (-abs(each.effect), each.effect, each.row))
    return DecidingRows(found[:MOST_LISTED], len(found), differing == len(tried))


def _most_different(difference: NDArray[np.float64]) -> tuple[NDArray[np.intp], int]:
    """Return the rows to try, the most different first, and how many differ at all."""
    rows, values, differing = np.zeros(0, np.intp), np.zeros(0), 0
    for span in spans(len(difference)):
        own = np.flatnonzero(difference[span] > 0)
        rows = np.concatenate([rows, span.start + own])
        values = np.concatenate([values, difference[span][own]])
        order = np.argsort(-values, kind="stable")[:MOST_TRIED]
        rows, values, differing = rows[order], values[order], differing + len(own)
    return rows, differing


def _copy(after: Predictions, before: Predictions) -> Predictions:
    """Return predictions that may get answers of ``before``, whose labels may be longer."""
    values = room(after.values.shape, np.promote_types(after.values.dtype, before.values.dtype))
    values[:] = after.values
    scores = None if after.scores is None else copy_of(after.scores)
    return replace(after, values=values, scores=scores)


def _answer_as(one: Predictions, mixed: Predictions, row: int) -> None:
    """Put the answer of a model for one row into predictions."""
    mixed.values[row] = one.values[row]
    if mixed.scores is not None and one.scores is not None:
        mixed.scores[row] = one.scores[row]


def _difference(
    score: Score, target: NDArray[Any], before: Predictions, after: Predictions
) -> NDArray[np.float64]:
    """Return how much a row can move the score, (rows,); 0 if it cannot.

    Labels: 2 where one model alone is right, 1 where the labels differ and both are wrong.
    Scores: the largest difference of a column. Numbers: that of the squared errors; of several
    targets the largest, relative to the target's variance. Numbers that rank: their difference.
    """
    if is_ndcg(score.name):
        return row_by_row(
            lambda one, other: np.nan_to_num(np.abs(other - one)), before.values, after.values
        )
    if score.task == "regression":
        numbers = np.asarray(target, np.float64)
        moved = row_by_row(_change_of_squares, numbers, before.values, after.values)
        if moved.ndim == 1:
            return moved
        mean = numbers.mean(axis=0)
        spread = row_by_row(lambda part: (part - mean) ** 2, numbers).mean(axis=0)
        return row_by_row(
            lambda part: np.asarray((part / np.where(spread, spread, 1.0)).max(axis=1)), moved
        )
    if not score.needs_scores or before.scores is None or after.scores is None:
        codes = score.encoded(target)
        labels = score.encoded(before.values), score.encoded(after.values)
        return row_by_row(_change_of_labels, codes, *labels)
    if before.scores.shape != after.scores.shape:
        return np.zeros(len(target))
    return row_by_row(
        lambda one, other: np.nan_to_num(np.abs(other - one).max(axis=1)),
        before.scores,
        after.scores,
    )


def _change_of_squares(
    truth: NDArray[np.float64], before: NDArray[np.float64], after: NDArray[np.float64]
) -> NDArray[np.float64]:
    errors = [(each - truth) ** 2 for each in (before, after)]
    return np.asarray(np.nan_to_num(np.abs(errors[1] - errors[0])))


def _change_of_labels(
    truth: NDArray[np.int64], before: NDArray[np.int64], after: NDArray[np.int64]
) -> NDArray[np.float64]:
    one_right = (before == truth) != (after == truth)
    return np.where(before == after, 0.0, 1.0 + one_right.astype(np.float64))


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
