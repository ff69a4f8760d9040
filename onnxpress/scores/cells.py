"""Rows that are alike, counted: those of the same target and the same labels are a cell."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.tables.mapped import spans

Codes = NDArray[np.int64]


def counted_cells(*codes: NDArray[Any]) -> tuple[Codes, Codes]:
    """Return the different combinations of codes (rows,), sorted, and how many rows each has.

    Targets [0, 0, 1] and labels [1, 1, 1] have the cells [[0, 1], [1, 1]], of 2 rows and 1.

    Returns:
        (arrays, cells) and (cells,).
    """
    found = Counter[tuple[int, ...]]()
    for span in spans(len(codes[0])):
        cells, counts = np.unique(
            np.stack([each[span] for each in codes]), axis=1, return_counts=True
        )
        found.update(dict(zip(map(tuple, cells.T.tolist()), counts.tolist(), strict=True)))
    every = sorted(found)
    return np.array(every, np.int64).T, np.array([found[cell] for cell in every], np.int64)
