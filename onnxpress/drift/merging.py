"""Few bins out of many cells: neighbours are merged until each holds enough training rows."""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

MOST_BINS = 20
"""Bins of an entry, without those for missing and unseen values."""
LEAST_SHARE, LEAST_ROWS = 0.01, 5
"""What each bin holds at least: this share of the rows, and so many (W. G. Cochran, 1954)."""
MOST_NAMES = 1000
"""Texts that an entry lists."""


def kept_cuts(cells: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return which cuts stay, (kept,), if ``cells`` (cuts + 1,) hold so many rows.

    The bin with the fewest rows is merged with the smaller of its neighbours, until every bin holds
    enough rows and there are at most ``MOST_BINS``. Of equal ones the first is taken.

    >>> kept_cuts(np.array([50, 0, 3, 60])).tolist()  # 50 | 0 | 3 | 60 -> 53 | 60
    [2]
    """
    least = max(LEAST_ROWS, LEAST_SHARE * int(cells.sum()))
    rows = cells.tolist()
    before = [at - 1 for at in range(len(rows))]
    after = [at + 1 for at in range(len(rows))]
    waiting = [(size, at) for at, size in enumerate(rows)]
    heapq.heapify(waiting)
    bins = len(rows)
    while bins > 1:
        size, at = heapq.heappop(waiting)
        if rows[at] != size:  # has been merged since
            continue
        if size >= least and bins <= MOST_BINS:
            break
        left, right = before[at], after[at]
        into_left = right == len(rows) or (left >= 0 and rows[left] <= rows[right])
        first, second = (left, at) if into_left else (at, right)
        rows[first], rows[second] = rows[first] + rows[second], -1
        after[first] = after[second]
        if after[second] < len(rows):
            before[after[second]] = first
        heapq.heappush(waiting, (rows[first], first))
        bins -= 1
    return np.array([at - 1 for at, size in enumerate(rows) if size >= 0 and at], np.intp)


def grouped(counts: dict[str, int], rows: int) -> list[list[str]]:
    """Return groups of texts: one each for the frequent, and one for all others that are known.

    The frequent are the most frequent ``MOST_BINS`` that hold enough rows. At most ``MOST_NAMES``
    texts are listed, the most frequent ones; the rest count as unseen.
    """
    least = max(LEAST_ROWS, LEAST_SHARE * rows)
    order = sorted(counts, key=lambda text: (-counts[text], text))[:MOST_NAMES]
    single = [text for text in order if counts[text] >= least][:MOST_BINS]
    others = sorted(text for text in order if text not in set(single))
    return [[text] for text in sorted(single)] + ([others] if others else [])
