"""Which sampled rows reach a split, and which of them are nearest to its threshold."""

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
    """Sampled rows on their paths through the trees; quick if used tree by tree."""

    def __init__(
        self, operators: Sequence[Operator], sample: Feeds, values: Values, preferred: int
    ) -> None:
        """``values`` are what the trees read of ``sample``, whose first rows are ``preferred``."""
        self._operators, self._sample, self._preferred = operators, sample, preferred
        self._columns = {name: np.ascontiguousarray(array.T) for name, array in values.items()}
        self._rows = count(sample)
        self._tree = (-1, -1)
        self._reaching: dict[int, NDArray[np.intp]] = {}

    def nearest(self, split: Split, column: RawColumn) -> tuple[int, int]:
        """Return the row nearest to the threshold that takes the true branch, and the false one.

        Rows without a number in the raw ``column`` come last; ``NO_ROW`` if no row goes there.
        """
        operator, rows = self._operators[split.operator], self._rows_reaching(split)
        compared = self._compared(split, rows)
        taken = operator.goes_true(np.full(len(rows), split.at), compared)
        threshold = float(operator.forest.threshold[split.at])
        with np.errstate(over="ignore", invalid="ignore"):
            distance = np.abs(compared.astype(np.float64) - threshold)
        raw = self._sample[column.name][rows, column.position]
        missing = np.isnan(raw) if is_number(raw) else np.zeros(len(rows), np.bool_)
        distance[np.isnan(distance) | missing] = np.inf
        distance[rows >= self._preferred] += LAST_RESORT
        return _nearest(rows[taken], distance[taken]), _nearest(rows[~taken], distance[~taken])

    def _rows_reaching(self, split: Split) -> NDArray[np.intp]:
        """Return the rows that reach a split; those of splits above it in the tree are kept."""
        operator, at = self._operators[split.operator], split.at
        tree = (split.operator, int(operator.forest.tree_of_split[at]))
        if tree != self._tree:
            self._tree, self._reaching = tree, {}
        path = []
        while at not in self._reaching and operator.parent[at] != ROOT:
            path.append(at)
            at = int(operator.parent[at])
        rows = self._reaching.setdefault(at, np.arange(self._rows))
        for below in reversed(path):
            above = Split(split.operator, int(operator.parent[below]))
            taken = operator.goes_true(np.full(len(rows), above.at), self._compared(above, rows))
            rows = self._reaching[below] = rows[taken == operator.on_true[below]]
        return rows

    def _compared(self, split: Split, rows: NDArray[np.intp]) -> NDArray[Any]:
        """Return what a split compares of ``rows``, both (n,)."""
        name, feature = self._operators[split.operator].compares(split.at)
        values: NDArray[Any] = self._columns[name][feature]
        return values[rows]


def _nearest(rows: NDArray[np.intp], distance: NDArray[np.float64]) -> int:
    return int(rows[np.argmin(distance)]) if len(rows) else NO_ROW
