"""Areas under curves of ranks, of more rows than memory holds.

These are scikit-learn's scores to the last bit: its operations in its order, on arrays that lie in
mapped files. Only the sorting differs. Instead of the rows, the scores are sorted in place, and so
are those of the positive rows: where a threshold lies in both says how many of each it lets pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from onnxpress.tables.mapped import changes, finite, in_order, room, row_by_row, spans, where

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Area = Callable[[Flags, Floats], float]


def roc_auc(positive: Flags, scores: Floats) -> float:
    """Return the area under the ROC curve of scores (rows,), of rows of which some are positive."""
    false, true = _passing(positive, scores)
    if len(false) > 2:
        bends = room(false.shape, np.bool_)
        bends[0] = bends[-1] = True
        near = [part for each in (false, true) for part in (each[:-2], each[1:-1], each[2:])]
        bends[1:-1] = row_by_row(_is_bend, *near)
        false, true = where(false, bends), where(true, bends)
    x, y = (_after_zero(each) for each in (false, true))
    return float(row_by_row(_trapezoids, x[:-1], x[1:], y[:-1], y[1:]).sum())


def average_precision(positive: Flags, scores: Floats) -> float:
    """Return the average precision of scores (rows,), of rows of which some are positive."""
    false, true = (each[::-1] for each in _passing(positive, scores))
    precision = row_by_row(lambda some, more: some / (some + more), true, false)
    recall = room((len(true) + 1,), np.float64)
    np.divide(true, true[0], out=recall[:-1])
    recall[-1] = 0
    steps = row_by_row(
        lambda one, next_, of: (next_ - one) * of, recall[:-1], recall[1:], precision
    )
    return max(0.0, -float(steps.sum()))


def _one_against_rest(
    area: Area, codes: NDArray[np.int64], scores: Floats, *, weighted: bool = False
) -> float:
    """Return the mean of each class's area, of scores (rows, classes); weighted with its rows."""
    areas, rows = [], []
    for code in range(scores.shape[1]):
        own = row_by_row(partial(np.equal, code), codes)
        areas.append(area(own, scores[:, code]))
        rows.append(np.count_nonzero(own))
    return float(np.average(areas, weights=rows if weighted else None))


def _one_against_one(codes: NDArray[np.int64], scores: Floats, *, weighted: bool = False) -> float:
    """Return the mean ROC AUC of all pairs of classes, of scores (rows, classes).

    A pair has the mean of both ways round, and the share of its rows as weight.
    """
    areas, shares = [], []
    for pair in combinations(range(scores.shape[1]), 2):
        both = row_by_row(lambda part, pair=pair: np.isin(part, pair), codes)
        own = where(codes, both)
        first, second = (
            roc_auc(row_by_row(partial(np.equal, code), own), where(scores[:, code], both))
            for code in pair
        )
        areas.append((first + second) / 2)
        shares.append(len(own) / len(codes))
    return float(np.average(areas, weights=shares if weighted else None))


def _passing(positive: Flags, scores: Floats) -> tuple[Floats, Floats]:
    """Return how many negative rows, and how many positive, reach each score, the highest first.

        scores    0.1 0.4 0.4 0.9      thresholds  0.9 0.4 0.1
        positive   0   0   1   1       negative     0   1   2
                                       positive     1   2   2

    Both are (different scores,).
    """
    ordered, own = in_order(scores), in_order(where(scores, positive))
    thresholds = where(ordered, changes(ordered))[::-1]
    true = row_by_row(partial(_reaching, own), thresholds)
    every = row_by_row(partial(_reaching, ordered), thresholds)
    return row_by_row(np.subtract, every, true), true


def _reaching(ordered: Floats, thresholds: Floats) -> Floats:
    return np.asarray(len(ordered) - np.searchsorted(ordered, thresholds), np.float64)


def _is_bend(*near: Floats) -> Flags:
    """Flag the points of a curve, (points,), that are not on a line between their neighbours."""
    x = near[2] - near[1] != near[1] - near[0]
    return np.asarray(x | (near[5] - near[4] != near[4] - near[3]))


def _after_zero(counts: Floats) -> Floats:
    """Return the counts as shares of the last one, with 0 before them."""
    found = room((len(counts) + 1,), np.float64)
    found[0] = 0
    np.divide(counts, counts[-1], out=found[1:])
    return found


def _trapezoids(x: Floats, next_x: Floats, y: Floats, next_y: Floats) -> Floats:
    return np.asarray((next_x - x) * (next_y + y) / 2.0)


def rank_score(name: str, codes: NDArray[np.int64], scores: Floats) -> float:
    """Return the score of scikit-learn's scorer ``name``; NaN where it is undefined.

    Args:
        name: of a scorer that ranks rows: a key of :data:`ACROSS_CLASSES`, or ``roc_auc``.
        codes: the class of each row, from 0, (rows,); each class has a row.
        scores: what ranks the rows, (rows, classes); of two classes the second one's, (rows,).
    """
    if not finite(scores):
        return math.nan
    if scores.ndim == 1:
        area = average_precision if name == "average_precision" else roc_auc
        return area(row_by_row(partial(np.equal, 1), codes), scores)
    whole = all(np.allclose(1, scores[span].sum(axis=1)) for span in spans(len(scores)))
    if name != "average_precision" and not whole:
        return math.nan
    return ACROSS_CLASSES[name](codes, scores)


OF_DECISIONS = ("average_precision", "roc_auc")
"""Scores for which decision scores do."""

ACROSS_CLASSES: dict[str, Callable[[NDArray[np.int64], Floats], float]] = {
    "average_precision": partial(_one_against_rest, average_precision),
    "roc_auc_ovo": _one_against_one,
    "roc_auc_ovo_weighted": partial(_one_against_one, weighted=True),
    "roc_auc_ovr": partial(_one_against_rest, roc_auc),
    "roc_auc_ovr_weighted": partial(_one_against_rest, roc_auc, weighted=True),
}
