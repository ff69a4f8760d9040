"""Which rows of the data come to a split, and which of them are nearest to its threshold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.evaluate.inner_tensors import Values
from onnxpress.evaluate.probes.raw_columns import RawColumn, is_number
from onnxpress.evaluate.probes.row_sets import count
from onnxpress.evaluate.probes.splits import ROOT, Operator, Split
from onnxpress.tables.rows import Feeds

NO_ROW = -1
LAST_RESORT = 1e300
"""Added to the distance of rows that are not preferred."""


class RowsAtSplits:
    """Sampled rows on their ways through the trees; quick if asked tree by tree."""

    def __init__(
        self,
        operators: Sequence[Operator],
        sample: Feeds,
        values: Values,
        preferred: int,
    ) -> None:
        """``values`` are what the trees read of ``sample``, whose first rows are ``preferred``."""
        self._operators, self._sample, self._preferred = operators, sample, preferred
        self._columns = {name: np.ascontiguousarray(array.T) for name, array in values.items()}
        self._rows = count(sample)
        self._tree = (-1, -1)
        self._coming: dict[int, NDArray[np.intp]] = {}

    def nearest(self, split: Split, column: RawColumn) -> tuple[int, int]:
        """The row nearest to the threshold that takes the true branch, and the false one.

        Rows without a number in the raw ``column`` come last; ``NO_ROW`` where none goes.
        """
        operator, rows = self._operators[split.operator], self._coming_to(split)
        taken = operator.goes_true(np.full(len(rows), split.at), self._compared(split, rows))
        threshold = float(operator.forest.threshold[split.at])
        with np.errstate(over="ignore", invalid="ignore"):
            distance = np.abs(self._compared(split, rows).astype(np.float64) - threshold)
        raw = self._sample[column.name][rows, column.position]
        without = np.isnan(raw) if is_number(raw) else np.zeros(len(rows), np.bool_)
        distance[np.isnan(distance) | without] = np.inf
        distance[rows >= self._preferred] += LAST_RESORT
        return _first(rows[taken], distance[taken]), _first(rows[~taken], distance[~taken])

    def _coming_to(self, split: Split) -> NDArray[np.intp]:
        """The rows that come to a split; within a tree those of the splits above are kept."""
        operator, at = self._operators[split.operator], split.at
        tree = (split.operator, int(operator.forest.tree_of_split[at]))
        if tree != self._tree:
            self._tree, self._coming = tree, {}
        way = []
        while at not in self._coming and operator.parent[at] != ROOT:
            way.append(at)
            at = int(operator.parent[at])
        rows = self._coming.setdefault(at, np.arange(self._rows))
        for below in reversed(way):
            above = Split(split.operator, int(operator.parent[below]))
            taken = operator.goes_true(np.full(len(rows), above.at), self._compared(above, rows))
            rows = self._coming[below] = rows[taken == operator.on_true[below]]
        return rows

    def _compared(self, split: Split, rows: NDArray[np.intp]) -> NDArray[Any]:
        name, feature = self._operators[split.operator].compares(split.at)
        values: NDArray[Any] = self._columns[name][feature]
        return values[rows]


def _first(rows: NDArray[np.intp], distance: NDArray[np.float64]) -> int:
    return int(rows[np.argmin(distance)]) if len(rows) else NO_ROW
