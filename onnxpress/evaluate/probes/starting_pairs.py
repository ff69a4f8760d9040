"""Pairs of values on different sides of a split: where the search for neighbouring rows starts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.evaluate.probes.raw_columns import MovingColumn, is_number
from onnxpress.evaluate.probes.rows_at_splits import NO_ROW
from onnxpress.evaluate.probes.splits import Operator, Split
from onnxpress.tables.rows import Feeds


@dataclass(frozen=True)
class Target:
    """A split to be probed, and the raw column that moves what it compares."""

    split: Split
    source: MovingColumn
    reached_by: tuple[int, int]
    """A sampled row that takes the true branch, and one that takes the false one; ``NO_ROW`` if
    none does."""


@dataclass(frozen=True)
class RowPair:
    """A sampled row, and the two values that the target's raw column takes in it."""

    target: Target
    base: int
    """Number of the sampled row."""
    values: tuple[Any, Any]
    """Once the pair is settled, that of the row which takes the true branch comes first."""

    @property
    def numeric(self) -> bool:
        """Whether both are finite numbers, between which there may be others."""
        return is_number(self.target.source.tried) and bool(np.isfinite(self.values).all())


def starting_pairs(target: Target, sample: Feeds, operator: Operator) -> Iterator[RowPair]:
    """Yield pairs to try for a target, one after the other.

    1. The known values nearest to the threshold, in a row that reaches the split.
    2. The values of two rows that reach the split and leave it on different sides.
    3. For numbers, the ends of the range, and as much beyond it.
    """
    base = next((row for row in target.reached_by if row != NO_ROW), 0)
    column = target.source.column
    nearest = _nearest_known(target, operator)
    if nearest:
        yield RowPair(target, base, nearest)
    if NO_ROW not in target.reached_by:
        one, other = (sample[column.name][row, column.position] for row in target.reached_by)
        yield RowPair(target, base, (one, other))
    ends = _beyond_range(target.source)
    if ends:
        yield RowPair(target, base, ends)


def _nearest_known(target: Target, operator: Operator) -> tuple[Any, Any] | None:
    """Return the tried value on each side of the threshold whose response is nearest to it.

    It is None if all tried values go one way.
    """
    tried, response = target.source.tried, target.source.response
    taken = operator.goes_true(np.full(len(tried), target.split.at), response)
    if taken.all() or not taken.any():
        return None
    threshold = float(operator.forest.threshold[target.split.at])
    distance = _distances(response, threshold, tried)
    one, other = (tried[_nearest(side, distance)] for side in (taken, ~taken))
    return one, other


def _distances(
    response: NDArray[Any], threshold: float, tried: NDArray[Any]
) -> NDArray[np.float64]:
    """Return the distance of each response to the threshold, (values,): infinite if missing."""
    with np.errstate(over="ignore", invalid="ignore"):
        distance = np.abs(response - threshold)
    missing = np.isnan(tried) if is_number(tried) else np.zeros(len(tried), np.bool_)
    distance[np.isnan(distance) | missing] = np.inf
    return distance


def _nearest(side: NDArray[np.bool_], distance: NDArray[np.float64]) -> np.intp:
    """Return the position of the least distance among those flagged in ``side``."""
    # distance [3, 1, 2], side [True, False, True]: positions [0, 2] have distances [3, 2] -> 2
    positions = np.flatnonzero(side)
    found: np.intp = positions[np.argmin(distance[positions])]
    return found


def _beyond_range(source: MovingColumn) -> tuple[Any, Any] | None:
    """Return the ends of a range three times as wide as that of the tried numbers."""
    if not is_number(source.tried):
        return None
    finite = source.tried[np.isfinite(source.tried)].astype(np.float64)
    if not len(finite):
        return None
    # numbers from 2 to 5: width 3, so the ends are -1 and 8
    width, limit = max(float(np.ptp(finite)), 1.0), float(np.finfo(np.float32).max)
    ends = np.clip([finite.min() - width, finite.max() + width], -limit, limit)
    return tuple(ends.astype(np.float32))
