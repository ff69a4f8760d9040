"""Rows of any number, written in pieces as a folder of Parquet files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

ROWS_OF_FILE, VALUES_OF_FILE = 2**20, 2**24
"""Of a file: that many rows, or fewer of many columns."""


def write_rows(folder: Path, rows: int, columns: int, seed: int = 0) -> None:
    """Write rows of two classes: of normal columns, five decide, and a tenth is random."""
    folder.mkdir(parents=True)
    size = max(1, min(ROWS_OF_FILE, VALUES_OF_FILE // columns))
    for number, first in enumerate(range(0, rows, size)):
        generator = np.random.default_rng((seed, number))
        values = generator.normal(size=(min(size, rows - first), columns)).astype(np.float32)
        decided = values[:, :5].sum(axis=1) > 0
        random = generator.random(len(values)) < 0.1
        target = np.where(random, generator.random(len(values)) < 0.5, decided)
        table = {f"x{at}": column for at, column in enumerate(values.T)}
        parquet.write_table(
            pa.table({**table, "target": target.astype(np.int64)}), folder / f"{number:05}.parquet"
        )
