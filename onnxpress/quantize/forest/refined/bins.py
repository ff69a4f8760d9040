"""Feature values as the numbers of bins, so that a histogram counts all cut points at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float32]

MOST_CUTS = 254
"""Of a feature; with one more for missing values, the number of a bin is a byte."""


@dataclass(frozen=True)
class Bins:
    """Feature values as the number of cut points below them; ``x < cuts[c]`` is ``code <= c``."""

    code: NDArray[np.uint8]  # (rows, features); NaN is right of every cut
    cuts: tuple[Column, ...]  # per feature, ascending

    @property
    def width(self) -> int:
        """The largest number of bins of a feature."""
        return max(len(cut) for cut in self.cuts) + 1


def cut_points(column: Column, limit: int, used: Column | None = None) -> Column:
    """At most ``limit`` float32 thresholds that separate the rows of ``column`` by ``<``.

    They lie midway between neighbouring values:

    >>> cut_points(np.float32([2, 1, 2, 5]), limit=32)
    array([1.5, 3.5], dtype=float32)

    Where there are too many, those next to the quantiles are kept: the cut 3.5 has 3 of 4 rows
    below it and 1.5 only 1 of 4, so that 3.5 is the first with half of the rows below it:

    >>> cut_points(np.float32([2, 1, 2, 5]), limit=1)
    array([3.5], dtype=float32)

    Up to half of them are then taken from ``used``, where the original splits, ascending and each
    as often as it does. It splits where its answers change, which quantiles may miss: the values of
    a rare class may all lie above the last of them.

    >>> column = np.arange(100, dtype=np.float32)
    >>> cut_points(column, limit=4, used=np.float32([96.5, 96.5, 98.5]))
    array([33.5, 66.5, 96.5, 98.5], dtype=float32)

    A column with missing values has one more cut, infinity: NaN is not below it, all others are.

    >>> cut_points(np.float32([2, np.nan, 1]), limit=32)
    array([1.5, inf], dtype=float32)
    """
    finite = column[np.isfinite(column)]
    values, counts = np.unique(finite, return_counts=True)
    middle = np.float32(0.5) * values[1:] + np.float32(0.5) * values[:-1]
    # Neighbours with no float32 between them are separated at the larger one.
    middle = np.where(middle > values[:-1], middle, values[1:])
    if len(middle) > limit:
        places, uses = np.unique(middle[:0] if used is None else used, return_counts=True)
        places = _at_quantiles(places, np.cumsum(uses), limit // 2)
        middle = _at_quantiles(middle, np.cumsum(counts), limit - len(places))
        middle = np.concatenate([middle, places])
    missing = [np.inf] if np.isnan(column).any() else []
    return np.unique(np.concatenate([middle, missing]).astype(np.float32))


def _at_quantiles(places: Column, count: NDArray[np.int64], limit: int) -> Column:
    """The ``limit`` of ``places`` next to the quantiles; ``count`` is of what is up to each.

    The last of ``count`` is that of all.
    """
    if len(places) <= limit:
        return places
    wanted = np.arange(1, limit + 1) / (limit + 1)
    nearest = np.searchsorted(count / count[-1], wanted).clip(0, len(places) - 1)
    return np.asarray(places[np.unique(nearest)])


def binned(x: NDArray[np.float32], cuts: tuple[Column, ...]) -> Bins:
    """``x`` (rows, features) as bins between ``cuts``.

    Three rows of one feature, cut at 1.5 and 3.5. A value at a cut is not below it:

    >>> cuts = (np.float32([1.5, 3.5]),)
    >>> binned(np.float32([[1], [3.5], [np.nan]]), cuts).code.tolist()
    [[0], [2], [2]]

    So ``x < 3.5``, the question at cut 1, is ``code <= 1``: yes, no, no.

    Raises:
        ValueError: a feature has more cuts than a byte can number.
    """
    if any(len(cut) > MOST_CUTS + 1 for cut in cuts):
        raise ValueError(f"a feature can have {MOST_CUTS + 1} cuts, the last for missing values")
    pairs = zip(cuts, x.T, strict=True)
    codes = [np.searchsorted(cut, column, side="right") for cut, column in pairs]
    return Bins(np.stack(codes, axis=1).astype(np.uint8), cuts)
