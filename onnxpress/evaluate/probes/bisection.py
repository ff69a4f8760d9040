"""A pair of rows for a split: where it starts from, and whether the split tells the two apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.evaluate.inner_tensors import InnerTensors, Values
from onnxpress.evaluate.probes.float_order import number, rank
from onnxpress.evaluate.probes.raw_columns import Source, is_number
from onnxpress.evaluate.probes.rows_at_splits import NO_ROW
from onnxpress.evaluate.probes.splits import Operator, Split
from onnxpress.tables.rows import Feeds, take

Numbers = NDArray[np.intp]


@dataclass(frozen=True)
class Target:
    """A split to be asked, and the raw column that moves what it compares."""

    split: Split
    source: Source
    passing: tuple[int, int]
    """A sampled row that takes the true branch, and one that takes the false one, if any does."""


@dataclass(frozen=True)
class Pair:
    """A sampled row, and the two values that the target's raw column takes in its place."""

    target: Target
    base: int
    values: tuple[Any, Any]
    """That of the row which takes the true branch comes first, once the pair is judged."""

    @property
    def numeric(self) -> bool:
        """Whether both are finite numbers, between which there may be others."""
        return is_number(self.target.source.tried) and bool(np.isfinite(self.values).all())


def starts(target: Target, sample: Feeds, operator: Operator) -> Iterator[Pair]:
    """Pairs to try for a target, one after the other.

    1. The known values nearest to the threshold, in a row that comes to the split.
    2. The values of two rows that come to the split and leave it on different sides.
    3. For numbers, the ends of the range, and as much beyond it.
    """
    base = next((row for row in target.passing if row != NO_ROW), 0)
    column = target.source.column
    nearest = _nearest_known(target, operator)
    if nearest:
        yield Pair(target, base, nearest)
    if NO_ROW not in target.passing:
        one, other = (sample[column.name][row, column.position] for row in target.passing)
        yield Pair(target, base, (one, other))
    ends = _beyond(target.source)
    if ends:
        yield Pair(target, base, ends)


def _nearest_known(target: Target, operator: Operator) -> tuple[Any, Any] | None:
    """Of the tried values on each side of the threshold the one whose response is nearest."""
    tried, response = target.source.tried, target.source.response
    at = np.full(len(tried), target.split.at)
    taken = operator.goes_true(at, response)
    if taken.all() or not taken.any():
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        distance = np.abs(response - float(operator.forest.threshold[target.split.at]))
    missing = np.isnan(tried) if is_number(tried) else np.zeros(len(tried), np.bool_)
    distance[np.isnan(distance) | missing] = np.inf
    sides = (np.flatnonzero(taken), np.flatnonzero(~taken))
    one, other = (tried[side[np.argmin(distance[side])]] for side in sides)
    return one, other


def _beyond(source: Source) -> tuple[Any, Any] | None:
    """The ends of a range three times as wide as that of the tried numbers."""
    if not is_number(source.tried):
        return None
    finite = source.tried[np.isfinite(source.tried)].astype(np.float64)
    if not len(finite):
        return None
    width, limit = max(float(np.ptp(finite)), 1.0), float(np.finfo(np.float32).max)
    ends = np.clip([finite.min() - width, finite.max() + width], -limit, limit)
    return tuple(ends.astype(np.float32))


class Judge:
    """Asks a model's trees about pairs of rows."""

    def __init__(self, inputs: InnerTensors, operators: Sequence[Operator], sample: Feeds) -> None:
        """Pairs are made of rows in ``sample``."""
        self._inputs, self._operators, self._sample = inputs, operators, sample

    def starts(self, target: Target) -> Iterator[Pair]:
        """See :func:`starts`."""
        return starts(target, self._sample, self._operators[target.split.operator])

    def settle(self, pairs: list[Pair]) -> list[Pair | None]:
        """The pairs with their values as near to each other as can be; None if both go one way."""
        if not pairs:
            return []
        one, other = (self._taken(pairs, [pair.values[i] for pair in pairs]) for i in (0, 1))
        apart = [
            pair if first else replace(pair, values=pair.values[::-1])
            for pair, first, second in zip(pairs, one, other, strict=True)
            if first != second
        ]
        near = self._together(apart)
        return [next(near) if differ else None for differ in one != other]

    def arrive(self, pairs: list[Pair]) -> NDArray[np.bool_]:
        """Whether both rows of each pair come to its split, (pairs,)."""
        arrived = np.ones(len(pairs), np.bool_)
        for side in (0, 1) if pairs else ():
            values = self._read(pairs, [pair.values[side] for pair in pairs])
            for operator, these, at in self._by_operator(pairs):
                arrived[these] &= operator.arrives(at, values[operator.reads][these])
        return arrived

    def _together(self, pairs: list[Pair]) -> Iterator[Pair]:
        """The same pairs; those of numbers with values that are float32 neighbours."""
        near = iter(self._halved([pair for pair in pairs if pair.numeric]))
        return (next(near) if pair.numeric else pair for pair in pairs)

    def _halved(self, pairs: list[Pair]) -> list[Pair]:
        """Halve the distance until the two numbers are neighbours.

        The threshold itself and its neighbours are tried first: most columns come to the trees
        unchanged.
        """
        true, false = (rank(np.array([pair.values[i] for pair in pairs])) for i in (0, 1))
        with np.errstate(over="ignore"):
            guess = rank(np.array([self._threshold(pair) for pair in pairs], np.float32))
        for nearby in (*(guess + step for step in (0, 1, -1)), *[None] * 32):
            middle = (true + false) // 2 if nearby is None else nearby
            between = (np.minimum(true, false) < middle) & (middle < np.maximum(true, false))
            these = np.flatnonzero(between)
            if not len(these):
                continue
            taken = self._taken([pairs[i] for i in these], list(number(middle[these])))
            true[these[taken]] = middle[these[taken]]
            false[these[~taken]] = middle[these[~taken]]
        values = zip(number(true), number(false), strict=True)
        return [replace(pair, values=both) for pair, both in zip(pairs, values, strict=True)]

    def _threshold(self, pair: Pair) -> float:
        split = pair.target.split
        return float(self._operators[split.operator].forest.threshold[split.at])

    def _taken(self, pairs: list[Pair], values: list[Any]) -> NDArray[np.bool_]:
        """Whether the base rows with ``values`` take the true branch at their targets."""
        read = self._read(pairs, values)
        taken = np.zeros(len(pairs), np.bool_)
        for operator, these, at in self._by_operator(pairs):
            compared = read[operator.reads][these, operator.forest.feature[at]]
            taken[these] = operator.goes_true(at, compared)
        return taken

    def _read(self, pairs: list[Pair], values: list[Any]) -> Values:
        return self._inputs(placed(self._sample, pairs, values))

    def _by_operator(self, pairs: list[Pair]) -> Iterator[tuple[Operator, Numbers, Numbers]]:
        """Each operator with the positions of its pairs and the splits that they are for."""
        numbers = np.array([pair.target.split.operator for pair in pairs])
        at = np.array([pair.target.split.at for pair in pairs])
        for each in np.unique(numbers):
            these = np.flatnonzero(numbers == each)
            yield self._operators[each], these, at[these]


def placed(sample: Feeds, pairs: Sequence[Pair], values: Sequence[Any]) -> Feeds:
    """The base row of each pair with one of ``values`` in the raw column of its target."""
    feeds = take(sample, np.array([pair.base for pair in pairs], np.intp))
    for row, (pair, value) in enumerate(zip(pairs, values, strict=True)):
        column = pair.target.source.column
        feeds[column.name][row, column.position] = value
    return feeds
