"""How well rows are ranked within their groups: normalised discounted cumulative gain."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.tables.mapped import PIECE_ROWS, finite, numbered, room, spans

Floats = NDArray[np.float64]


def ndcg_of_groups(
    target: NDArray[Any], values: NDArray[Any], groups: NDArray[Any], depth: int | None = None
) -> Floats:
    """Return scikit-learn's ``ndcg_score`` of each group, (groups,), in the order of their numbers.

    The gain of a row is its relevance, divided by the logarithm of its rank. Rows with the same
    value share the ranks that they have together, as in scikit-learn: Järvelin and Kekäläinen,
    Cumulated gain-based evaluation of IR techniques, TOIS 20 (2002), and McSherry and Najork,
    Computing information retrieval performance measures efficiently in the presence of tied scores,
    ECIR 2008.

    A group of one row, or without a row of relevance above 0, is NaN: every order of its rows is
    worth the same, so it says nothing about a model. (scikit-learn refuses the one, and gives the
    other 0.)

    Args:
        target: relevance of each row, from 0 on, (rows,).
        values: what ranks the rows, the greatest first, (rows,); finite.
        groups: the number of each row's group, (rows,).
        depth: how many ranks count; None: all.
    """
    if len(target) <= PIECE_ROWS:
        return _of_groups(target, values, groups, depth)
    rows, (codes, many) = len(target), numbered(groups)
    # codes 1, 0, 1 of three rows are 3, 1, 5: sorted and divided by 3 they are 0, 1, 1, of the
    # rows 1, 0, 2
    keys = room((rows,), np.int64)
    for span in spans(rows):
        keys[span] = codes[span] * rows + np.arange(span.start, span.stop)
    keys.sort()
    found, first = room((many,), np.float64), 0
    while first < rows:
        part = keys[first : _end_of_groups(keys, first)]
        own, of_row = np.divmod(part, rows)
        found[own[0] : own[-1] + 1] = _of_groups(target[of_row], values[of_row], own, depth)
        first += len(part)
    return found


def _end_of_groups(keys: NDArray[np.int64], first: int) -> int:
    """Return where the groups end that fit into a piece from ``first`` on: one group at least."""
    rows, end = len(keys), first + PIECE_ROWS
    if end >= rows:
        return rows
    whole = int(np.searchsorted(keys, keys[end] // rows * rows))
    if whole > first:
        return whole
    return int(np.searchsorted(keys, (keys[first] // rows + 1) * rows))


def _of_groups(
    target: NDArray[Any], values: NDArray[Any], groups: NDArray[Any], depth: int | None
) -> Floats:
    _, codes, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    target = np.asarray(target, np.float64)
    found = _gains(target, np.asarray(values, np.float64), codes, depth)
    best = _gains(target, target, codes, depth)
    counts = (sizes > 1) & (best > 0)
    return np.where(counts, found / np.where(counts, best, 1), np.nan)


def _gains(target: Floats, values: Floats, codes: NDArray[np.intp], depth: int | None) -> Floats:
    """Return the discounted gain of each group if its rows are ranked by ``values``.

    With two groups, and two rows of the same value:

        codes     0    1    1         order     0    1    2
        values    5    3    3         rank      0    0    1
        target    1    2    0         discount  1    1    0.63
                                      run       0    1    1
        gain of run 1: its mean relevance of 1, times its discounts of 1.63
    """
    order = np.lexsort((-values, codes))
    group, value = codes[order], values[order]
    rank = np.arange(len(order)) - np.searchsorted(group, group)
    discount = 1 / np.log2(rank + 2.0)
    if depth is not None:
        discount[rank >= depth] = 0
    begins = np.ones(len(order), bool)
    begins[1:] = (group[1:] != group[:-1]) | (value[1:] != value[:-1])
    run = np.cumsum(begins) - 1
    relevance = np.bincount(run, target[order]) / np.bincount(run)
    gained = relevance * np.bincount(run, discount)
    return np.asarray(np.bincount(group[begins], gained), np.float64)


def why_no_ndcg(target: NDArray[Any], groups: NDArray[Any] | None) -> str:
    """Say why there is no NDCG of rows with this relevance and these groups; empty if there is."""
    if groups is None:
        return "they are in no groups"
    target = np.asarray(target, np.float64)
    if not finite(target):
        return "a target is NaN or infinite"
    if target.min() < 0:
        return f"a target is {target.min():g}, and a relevance is 0 or more"
    if np.isnan(ndcg_of_groups(target, target, groups)).all():
        return "no group has two rows and one of a target above 0"
    return ""
