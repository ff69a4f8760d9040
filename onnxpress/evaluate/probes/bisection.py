"""Moves the two rows of a pair together until they are neighbours on both sides of a split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.evaluate.inner_tensors import InnerTensors, Values
from onnxpress.evaluate.probes.float_order import number, rank
from onnxpress.evaluate.probes.splits import Operator
from onnxpress.evaluate.probes.starting_pairs import RowPair, Target, starting_pairs
from onnxpress.tables.rows import Feeds, take

Numbers = NDArray[np.intp]

HALVINGS = 32
"""Enough to bring any two float32 numbers together: there are fewer than 2^32 of them."""


class Bisection:
    """Narrows pairs of rows by what a model's trees compare for them."""

    def __init__(self, inputs: InnerTensors, operators: Sequence[Operator], sample: Feeds) -> None:
        """Pairs are made of rows in ``sample``; ``inputs`` computes what ``operators`` read."""
        self._inputs, self._operators, self._sample = inputs, operators, sample

    def starting_pairs(self, target: Target) -> Iterator[RowPair]:
        """Yield the pairs to try for a target."""
        operator = self._operators[target.split.operator]
        return starting_pairs(target, self._sample, operator)

    def settle(self, pairs: list[RowPair]) -> list[RowPair | None]:
        """Return the pairs with values as near to each other as can be; None if both go one way.

        None too for the pairs of a column in which the model refuses values: between 0 and 1 of a
        one-hot encoder that takes known numbers alone, there are none.
        """
        if not pairs:
            return []
        columns = [pair.target.source.column for pair in pairs]
        try:
            return self._settled(pairs)
        except Exception:  # onnxruntime's exceptions share no base class of their own
            if len(set(columns)) == 1:
                return [None] * len(pairs)
        found: list[RowPair | None] = [None] * len(pairs)
        for column in dict.fromkeys(columns):
            these = [i for i, each in enumerate(columns) if each == column]
            for i, pair in zip(these, self.settle([pairs[i] for i in these]), strict=True):
                found[i] = pair
        return found

    def _settled(self, pairs: list[RowPair]) -> list[RowPair | None]:
        one, other = (self._taken(pairs, [pair.values[i] for pair in pairs]) for i in (0, 1))
        apart = []
        for pair, first, second in zip(pairs, one, other, strict=True):
            if first != second:  # the value that takes the true branch comes first
                apart.append(pair if first else replace(pair, values=pair.values[::-1]))
        near = self._narrowed(apart)
        return [next(near) if differ else None for differ in one != other]

    def reached(self, pairs: list[RowPair]) -> NDArray[np.bool_]:
        """Flag the pairs, (pairs,), both of whose rows reach the split."""
        found = np.ones(len(pairs), np.bool_)
        for side in (0, 1) if pairs else ():
            values = self._read(pairs, [pair.values[side] for pair in pairs])
            for operator, these, at in self._by_operator(pairs):
                found[these] &= operator.reached(at, values[operator.reads][these])
        return found

    def _narrowed(self, pairs: list[RowPair]) -> Iterator[RowPair]:
        """Yield the same pairs; those of numbers with neighbouring float32 numbers."""
        near = iter(self._bisected([pair for pair in pairs if pair.numeric]))
        return (next(near) if pair.numeric else pair for pair in pairs)

    def _bisected(self, pairs: list[RowPair]) -> list[RowPair]:
        """Halve the distance of the two numbers until they are neighbours.

        The threshold itself and its neighbours are tried first: most columns reach the trees
        unchanged.
        """
        # Ranks of three pairs, and one halving; what takes the true branch moves `true`:
        #   true  false  middle  taken       true  false
        #    10      18      14  yes    ->     14     18
        #    10      18      14  no     ->     10     14
        #     7       6       6  -      ->      7      6    neighbours: nothing lies between them
        true, false = (rank(np.array([pair.values[i] for pair in pairs])) for i in (0, 1))
        with np.errstate(over="ignore"):
            guess = rank(np.array([self._threshold(pair) for pair in pairs], np.float32))
        for nearby in (guess, guess + 1, guess - 1, *[None] * HALVINGS):
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

    def _threshold(self, pair: RowPair) -> float:
        split = pair.target.split
        return float(self._operators[split.operator].forest.threshold[split.at])

    def _taken(self, pairs: list[RowPair], values: list[Any]) -> NDArray[np.bool_]:
        """Flag the base rows, (pairs,), that with ``values`` take the true branch at the split."""
        read = self._read(pairs, values)
        taken = np.zeros(len(pairs), np.bool_)
        for operator, these, at in self._by_operator(pairs):
            compared = read[operator.reads][these, operator.forest.feature[at]]
            taken[these] = operator.goes_true(at, compared)
        return taken

    def _read(self, pairs: list[RowPair], values: list[Any]) -> Values:
        return self._inputs(with_values(self._sample, pairs, values))

    def _by_operator(self, pairs: list[RowPair]) -> Iterator[tuple[Operator, Numbers, Numbers]]:
        """Yield each operator with the positions of its pairs and the splits that they are for."""
        # pairs for (operator, split) (0, 5), (2, 1), (0, 3): yields 0 with positions [0, 2] and
        # splits [5, 3], then 2 with positions [1] and splits [1]
        numbers = np.array([pair.target.split.operator for pair in pairs])
        at = np.array([pair.target.split.at for pair in pairs])
        for each in np.unique(numbers):
            these = np.flatnonzero(numbers == each)
            yield self._operators[each], these, at[these]


def with_values(sample: Feeds, pairs: Sequence[RowPair], values: Sequence[Any]) -> Feeds:
    """Return the base row of each pair with one of ``values`` in the raw column of its target."""
    feeds = take(sample, np.array([pair.base for pair in pairs], np.intp))
    for row, (pair, value) in enumerate(zip(pairs, values, strict=True)):
        column = pair.target.source.column
        feeds[column.name][row, column.position] = value
    return feeds
