"""Standard errors of paired differences of a score.

The jackknife leaves out one group of rows after the other: Efron and Tibshirani, An Introduction to
the Bootstrap (1993), chapter 11; for groups of unequal size Busing, Meijer and van der Leeden,
Delete-m jackknife for unequal m, Statistics and Computing 9 (1999).
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.limits import is_ndcg
from onnxpress.runtime.predictions import Predictions
from onnxpress.scores.answers import AnsweringClassifier
from onnxpress.scores.cells import counted_cells
from onnxpress.scores.row_losses import row_losses
from onnxpress.scores.score import Score
from onnxpress.scores.scorers import scored, takes_weights
from onnxpress.tables.mapped import (
    different,
    numbered,
    room,
    row_by_row,
    shuffled,
    spans,
    where,
)

GROUPS = 40
"""Groups of rows that the jackknife leaves out, one after the other; with fewer rows each row."""

MOST_SCORES = 80_000
"""Rows times classes that the jackknife works on at most. A sample of more rows gives the error,
scaled by the square root of their numbers: 200,000 rows take about a second so, not ten."""


def score_error(
    score: Score, target: NDArray[Any], before: Predictions, after: Predictions
) -> float:
    """Return the standard error of the difference of two models' scores on the same rows.

    ``target`` is (rows,). Exact where the score is a mean over the rows; else the jackknife, with
    groups that have rows of every class in equal shares. NaN where it cannot be told: for fewer
    than two rows, for the largest error, or if the score is undefined without one of the groups.

    Rows in groups of their own are alike, so these are left out whole; NDCG is a mean over them.
    """
    if len(target) < 2 or score.name == "neg_max_error":
        return math.nan
    if score.groups is not None:
        return _by_own_groups(score, score.groups, target, before, after)
    losses = [row_losses(score, target, each) for each in (before, after)]
    if losses[0] is not None and losses[1] is not None:
        return mean_error(row_by_row(np.subtract, losses[1], losses[0]))
    if score.task == "classification" and not score.needs_scores and takes_weights(score.name):
        return _by_cells(score, target, before, after)
    return _by_rows(score, target, before, after)


def mean_error(values: NDArray[Any]) -> float:
    """Return the standard error of the mean of values (rows,); NaN for fewer than two."""
    if len(values) < 2:
        return math.nan
    return deviation(values) / math.sqrt(len(values))


def deviation(values: NDArray[Any]) -> float:
    """Return the standard deviation of values (rows,), of a sample: divided by one row less."""
    mean = values.mean(dtype=np.float64)
    squares = row_by_row(lambda part: np.square(part - mean), values)
    return math.sqrt(squares.sum() / (len(values) - 1))


def _by_own_groups(
    score: Score,
    groups: NDArray[np.int64],
    target: NDArray[Any],
    before: Predictions,
    after: Predictions,
) -> float:
    """The error where the rows are in groups, (rows,): of a mean over them, else the jackknife."""
    if is_ndcg(score.name):
        lost = row_by_row(np.subtract, *(score.of_groups(target, each) for each in (before, after)))
        return mean_error(where(lost, row_by_row(np.isfinite, lost)))
    number, many = numbered(groups)
    of_number = _groups(np.broadcast_to(np.int8(0), many))
    blocks = row_by_row(lambda part: of_number[part], number)

    def difference(kept: NDArray[np.bool_]) -> float:
        of_part, part = score.on(where(groups, kept)), where(target, kept)
        return of_part(part, before.take(kept)) - of_part(part, after.take(kept))

    kept = (row_by_row(partial(np.not_equal, block), blocks) for block in range(blocks.max() + 1))
    whole = score(target, before) - score(target, after)
    return jackknife(whole, np.array([*map(difference, kept)]), np.bincount(blocks))


def _by_rows(score: Score, target: NDArray[Any], before: Predictions, after: Predictions) -> float:
    """The jackknife of a score that needs every row."""
    one = np.broadcast_to(np.int8(0), len(target))
    strata = score.encoded(target) if score.task == "classification" else one
    rows, most = len(target), MOST_SCORES // max(1, len(score.classes))
    shrink = math.sqrt(min(1, most / rows))
    if rows > most:
        kept = _by_strata(strata)[np.linspace(0, rows - 1, most).astype(np.intp)]
        target, before, after = target[kept], before.take(kept), after.take(kept)
        strata = strata[kept]
    groups = _groups(strata)

    def difference(kept: NDArray[np.bool_]) -> float:
        part = target[kept]
        return score(part, before.take(kept)) - score(part, after.take(kept))

    leaving_out = [difference(groups != group) for group in range(groups.max() + 1)]
    whole = difference(np.ones(len(target), bool))
    return shrink * jackknife(whole, np.array(leaving_out), np.bincount(groups))


def _by_cells(score: Score, target: NDArray[Any], before: Predictions, after: Predictions) -> float:
    """The jackknife of a score of labels.

    Rows of the same target and the same two labels are alike, so they are counted, in cells, and
    the score is computed from a row for each cell with its count as weight. With few cells each row
    is left out by itself, once for all rows of its cell.
    """
    codes = [score.encoded(each) for each in (target, before.values, after.values)]
    cells, counts = counted_cells(*codes)
    compute = partial(_of_cells, score, cells)
    if len(counts) <= GROUPS:
        without = counts - np.eye(len(counts), dtype=np.int64)
        leaving_out = np.array([compute(weights) for weights in without])
        return jackknife(compute(counts), leaving_out, np.ones(len(counts)), counts)
    groups = _groups(codes[0])
    place = {tuple(cell): at for at, cell in enumerate(cells.T.tolist())}
    without = np.tile(counts, (groups.max() + 1, 1))
    of_groups, rows = counted_cells(groups, *codes)
    for (group, *cell), count in zip(of_groups.T.tolist(), rows.tolist(), strict=True):
        without[group, place[tuple(cell)]] -= count
    leaving_out = np.array([compute(weights) for weights in without])
    return jackknife(compute(counts), leaving_out, np.bincount(groups))


def _of_cells(score: Score, cells: NDArray[np.int64], weights: NDArray[np.int64]) -> float:
    """Return the difference of the scores of two columns of labels, a row for each cell."""
    there = weights > 0
    target, *columns = cells[:, there]
    n_classes, weights = len(score.classes), weights[there]
    before, after = (
        scored(score.name, n_classes, AnsweringClassifier(n_classes, labels), target, weights)
        for labels in columns
    )
    return before - after


def _groups(strata: NDArray[Any]) -> NDArray[np.int64]:
    """Return the group of each row, from 0, so that groups have equal shares of every stratum.

    The order is drawn with a seed of its own: the same rows are always in the same groups.
    """
    rows = len(strata)
    groups, order = room((rows,), np.int64), _by_strata(strata)
    for span in spans(rows):
        groups[order[span]] = np.arange(span.start, span.stop) % min(GROUPS, rows)
    return groups


def _by_strata(strata: NDArray[Any]) -> NDArray[np.intp]:
    """Return the positions of the rows, one stratum after the other, in an order drawn within."""
    drawn = shuffled(len(strata), 0)
    of_drawn = row_by_row(lambda rows: strata[rows], drawn)
    found, first = room(drawn.shape, drawn.dtype), 0
    for value in different(strata):
        own = where(drawn, row_by_row(partial(np.equal, value), of_drawn))
        found[first : first + len(own)] = own
        first += len(own)
    return found


def jackknife(
    whole: float,
    leaving_out: NDArray[np.float64],
    sizes: NDArray[Any],
    times: NDArray[Any] | None = None,
) -> float:
    """Return the standard error of a statistic.

    Args:
        whole: its value on all rows.
        leaving_out: its value without each group, (groups,).
        sizes: rows of each group, (groups,).
        times: how many groups are alike, (groups,); each is one if not given.

    Returns:
        NaN if one of the values is NaN, or there are fewer than two groups.
    """
    times = np.ones(len(sizes)) if times is None else times
    rows, groups = float(sizes @ times), float(times.sum())
    if groups < 2 or not math.isfinite(whole) or not np.isfinite(leaving_out).all():
        return math.nan
    factor = rows / sizes
    estimate = groups * whole - times @ ((1 - sizes / rows) * leaving_out)
    pseudo = factor * whole - (factor - 1) * leaving_out
    variance = times @ ((pseudo - estimate) ** 2 / (factor - 1)) / groups
    return float(math.sqrt(variance))
