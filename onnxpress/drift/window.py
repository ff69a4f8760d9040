"""Counts of the last rows, in a memory that does not grow.

This file travels with a served model and runs where the rest of the project is not installed. It
imports numpy only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.drift.counting import Counts, Entry, bins_of, chance, counted, level_of, psi

ROWS = 10_000
"""Rows of a full window."""
BLOCKS = 10
"""The window moves on by a block; each holds so many of its rows."""
UNUSED = "unused"


@dataclass(frozen=True)
class Reading:
    """The index of one feature or output now."""

    name: str
    output: bool
    psi: float
    chance: float


class Window:
    """The last rows of a served model, counted in the bins of its profile."""

    def __init__(self, profile: Mapping[str, Any], rows: int = ROWS) -> None:
        """Begin with no row."""
        self.features: list[Entry] = [
            entry for entry in profile["features"] if entry["rule"] != UNUSED
        ]
        self.predictions: list[Entry] = profile["predictions"]
        self.level = level_of(profile)
        self.block_rows = max(1, rows // BLOCKS)
        self.blocks: deque[tuple[int, list[Counts]]] = deque(maxlen=BLOCKS)

    @property
    def rows(self) -> int:
        """How many rows are in the window."""
        return sum(rows for rows, _ in self.blocks)

    def add(self, inputs: Mapping[str, NDArray[Any]], outputs: Mapping[str, NDArray[Any]]) -> None:
        """Count the rows of a request.

        Raises:
            ValueError: they are not those of the model, or there are several numbers of rows.
        """
        try:
            columns = [inputs[each["input"]][:, each["position"]] for each in self.features]
            results = [predicted_column(each, outputs) for each in self.predictions]
        except (KeyError, IndexError) as error:
            raise ValueError(f"not rows of this model ({error!r})") from error
        sizes = {len(values) for values in (*columns, *results)}
        if len(sizes) != 1:
            raise ValueError(f"columns of {sorted(sizes)} rows in one request")
        pairs = zip(self.entries(), [*columns, *results], strict=True)
        self._put(sizes.pop(), [counted(entry, values) for entry, values in pairs])

    def entries(self) -> list[Entry]:
        """Return the features that the model uses, and its outputs."""
        return [*self.features, *self.predictions]

    def readings(self) -> Iterator[Reading]:
        """Yield the index of each entry."""
        for at, entry in enumerate(self.entries()):
            now = np.zeros(bins_of(entry), np.int64)
            for _, counts in self.blocks:
                now += counts[at]
            before = entry.get("traced", entry["counts"])
            output = at >= len(self.features)
            luck = chance(before, now, self.level)
            yield Reading(entry["name"], output, psi(before, now), luck)

    def _put(self, rows: int, counts: list[Counts]) -> None:
        """Add to the newest block, or begin one."""
        if self.blocks and self.blocks[-1][0] < self.block_rows:
            before, summed = self.blocks.pop()
            rows, counts = before + rows, [a + b for a, b in zip(summed, counts, strict=True)]
        self.blocks.append((rows, counts))


def predicted_column(entry: Entry, outputs: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """Return what an entry of a prediction is about, (rows,).

    It is one column where the entry has a position, as of several targets.
    """
    if "position" not in entry:
        return _highest(outputs[entry["name"]])
    return np.asarray(outputs[entry["output"]][:, entry["position"]])


def _highest(values: NDArray[Any]) -> NDArray[Any]:
    """Return one value per row: of several columns the highest."""
    if values.dtype.kind == "O" or values.ndim == 1:
        return values.reshape(-1)
    return np.asarray(values.reshape(len(values), -1).max(axis=1))
