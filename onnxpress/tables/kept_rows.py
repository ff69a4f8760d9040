"""A sample of rows that are seen once, in pieces: the same rows in whatever pieces and order."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

ORDER, CLASS, COUNT, PLACE = "order", "class", "count", "place"


class KeptRows:
    """The rows with the lowest numbers of each class, each different row once with its count.

    Where rows repeat, so many of each are drawn in the end as its share of all rows of the class
    says. Memory is that of twice the rows that are kept, and of a piece.
    """

    def __init__(self, most: NDArray[np.int64]) -> None:
        """``most`` is how many rows to keep of each class, (classes,)."""
        self.most = most
        self._limit = np.full(len(most), np.iinfo(np.uint64).max, np.uint64)
        self._rows: list[pa.Table] = []
        self._notes: list[pd.DataFrame] = []
        self._held = 0

    def add(
        self,
        rows: pa.Table,
        order: NDArray[np.uint64],
        classes: NDArray[np.intp],
        places: NDArray[np.uint64],
    ) -> None:
        """Look at rows with their numbers, which equal rows share, their classes and places."""
        wanted = np.flatnonzero(order <= self._limit[classes])
        if not len(wanted):
            return
        self._rows.append(rows.take(wanted))
        columns = {ORDER: order[wanted], CLASS: classes[wanted], PLACE: places[wanted], COUNT: 1}
        self._notes.append(pd.DataFrame(columns))
        self._held += len(wanted)
        if self._held > 2 * self.most.sum() + len(order):
            self._shrink()

    def _shrink(self) -> None:
        """Drop what is not among the lowest different numbers of its class."""
        notes = pd.concat(self._notes, ignore_index=True)
        notes["row"] = np.arange(len(notes))
        # rows 7, 3, 7 of a class: 3 once and 7 twice
        by_row = notes.groupby([CLASS, ORDER], as_index=False)
        notes = by_row.agg({PLACE: "first", COUNT: "sum", "row": "first"})
        rank = notes.groupby(CLASS).cumcount().to_numpy()
        most = self.most[notes[CLASS]]
        for number, order in notes.loc[rank == most - 1, [CLASS, ORDER]].itertuples(index=False):
            self._limit[number] = order
        notes = notes[rank < most]
        self._rows = [pa.concat_tables(self._rows).take(notes.pop("row").to_numpy())]
        self._notes, self._held = [notes], len(notes)

    def drawn(self) -> tuple[pa.Table, pd.DataFrame]:
        """Return the rows, in the order of their numbers, and their classes and places."""
        self._shrink()
        (notes,) = self._notes
        counts = notes[COUNT].to_numpy()
        copies = np.zeros(len(notes), np.int64)
        for number, most in enumerate(self.most):
            own = np.flatnonzero(notes[CLASS] == number)
            copies[own] = _thinned(counts[own], int(most))
        rows = np.repeat(np.arange(len(notes)), copies)
        rows = rows[np.argsort(notes[ORDER].to_numpy()[rows], kind="stable")]
        return self._rows[0].take(rows), notes.iloc[rows].reset_index(drop=True)


def _thinned(counts: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return how many of each row are drawn, (rows,): every n-th of all copies in their order.

    Of counts 1, 6, 1 and 4 wanted, copies 1, 3, 5 and 7 of the eight: 0, 3 and 1.
    """
    if counts.sum() <= most:
        return counts
    wanted = ((np.arange(most) + 0.5) * (counts.sum() / most)).astype(np.int64)
    drawn = np.searchsorted(np.cumsum(counts), wanted, side="right")
    return np.bincount(drawn, minlength=len(counts))


def shares_of(counts: NDArray[np.int64], most: int, least: int) -> NDArray[np.int64]:
    """Return how many of at most ``most`` rows each class gets, (classes,), by its rows.

    A class gets at least ``least``, or all that it has, for which the largest classes pay;
    ``most`` is that many for each or more.
    """
    if counts.sum() <= most:
        return counts
    wanted: NDArray[np.int64] = np.maximum(np.minimum(counts, least), counts * most // counts.sum())
    while (over := int(wanted.sum()) - most) > 0:
        largest = int(wanted.argmax())
        rest = np.delete(wanted, largest).max(initial=least)
        wanted[largest] -= min(over, max(1, int(wanted[largest] - rest)))
    return wanted
