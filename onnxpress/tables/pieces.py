"""Tables of any size, a piece of their rows at a time, as the inputs of a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import types

from onnxpress.errors import UserError
from onnxpress.tables.arrow_types import decoded, meaning, numbers, present, texts
from onnxpress.tables.column_types import as_float32
from onnxpress.tables.csv_file import cells_in_blocks
from onnxpress.tables.csv_types import CsvForm, cells_as_numbers, without_missing
from onnxpress.tables.parquet_file import columns_in_batches
from onnxpress.tables.rows import Feeds, as_rows
from onnxpress.tables.schema import Column, Schema
from onnxpress.tables.wording import listed, shown

CSV = ".csv"
SUFFIXES = (CSV, ".parquet")
"""Of files that are read in pieces."""

MOST_ROWS, MOST_VALUES = 2**16, 2**22
"""Of a piece: that many rows, or fewer of many columns."""


@dataclass(frozen=True)
class Piece:
    """Some rows of a file, one after another."""

    path: Path
    first: int
    """The number of its first row in the file, from 0."""
    table: pa.Table
    """The columns asked for; of a CSV file the text of the cells, null where empty."""
    last: bool = False
    """Whether no row of the file comes after it."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle its own rows; Arrow would pickle all rows that it was cut from."""
        stream = pa.BufferOutputStream()
        with pa.ipc.new_stream(stream, self.table.schema) as writer:
            writer.write_table(self.table)
        return _unpickled, (self.path, self.first, stream.getvalue(), self.last)


def _unpickled(path: Path, first: int, stream: pa.Buffer, last: bool) -> Piece:
    return Piece(path, first, pa.ipc.open_stream(stream).read_all(), last)


def pieces(path: Path, columns: Sequence[str], rows: int) -> Iterator[Piece]:
    """Yield the rows of a CSV or Parquet file in pieces of ``rows``, at least one piece.

    The last has what is left, and is never one row alone beside others: onnxruntime multiplies a
    lone row in another order than the rows of a batch, which can change the last bit.

    Raises:
        UserError: the file cannot be read, or lacks one of the columns.
    """
    csv = path.suffix == CSV
    parts = cells_in_blocks(path) if csv else columns_in_batches(path, columns, rows)
    start = next(parts)  # without a row
    known = set(start.column_names)
    if absent := [name for name in columns if name not in known]:
        came = listed(start.column_names, 20)
        raise UserError(f"{path} lacks the column {listed(absent)}; it has {came}")
    first, held = 0, start.select(columns)
    for part in parts:
        held = pa.concat_tables([held, part.select(columns)])
        while held.num_rows > rows + 1:
            yield Piece(path, first, held.slice(0, rows))
            first, held = first + rows, held.slice(rows)
    yield Piece(path, first, held, last=True)


def rows_of_piece(columns: int) -> int:
    """Return how many rows of so many columns are read at a time."""
    return max(2, min(MOST_ROWS, MOST_VALUES // max(1, columns)))


def feeds_of(piece: Piece, schema: Schema, form: CsvForm) -> Feeds:
    """Return the rows of a piece as inputs of a model, typed by the model's schema alone.

    So a row is the same in each piece: nothing is inferred from the rows beside it. The rules are
    those of the published model: a missing number is NaN, a missing text empty.

    Raises:
        UserError: a value is not of its column's kind, is infinite in float32, or is a missing
            number where there was none in training; the line says in which row.
    """
    csv = piece.path.suffix == CSV
    rows = np.arange(piece.first, piece.first + piece.table.num_rows)
    values: dict[str, NDArray[Any]] = {}
    for column in schema.columns:
        what = f"{piece.path}: column {shown(column.name)}"
        found = decoded(piece.table[column.name])
        if types.is_null(found.type):
            found = pc.cast(found, pa.large_string())
        if csv:
            found = without_missing(found, form.missing)
        kind = meaning(found, column.name, f"{piece.path}: column")
        if column.kind != "number":
            values[column.name] = _texts(found, kind, column, what, rows)
            continue
        if csv:
            wide = _of_cells(found, form, what, rows)
        else:
            wide = numbers(found) if kind == "number" else _gaps(found, what, rows)
        values[column.name] = _narrow(wide, column, what, rows)
    return as_rows(values, np.zeros(len(rows)), schema).feeds


def _narrow(
    values: NDArray[np.float64], column: Column, what: str, rows: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Return numbers as the model takes them.

    Raises:
        UserError: one is infinite, or is missing where there was none in training.
    """
    narrow = as_float32(values, what, rows)
    missing = np.isnan(narrow)
    if not column.missing and missing.any():
        raise UserError(
            f"{what} has no value in row {rows[missing.argmax()] + 1}; it had no missing value in "
            "training, so the model takes none: fill it, or leave the row out"
        )
    return narrow


def _of_cells(
    cells: pa.ChunkedArray, form: CsvForm, what: str, rows: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the numbers in CSV cells, NaN where they are missing.

    Raises:
        UserError: a cell is something else.
    """
    found = cells_as_numbers(cells, form)
    if found is None:
        place = _first(cells, lambda part: cells_as_numbers(part, form) is None)
        raise UserError(
            f"{what} should be numbers, got {shown(cells[place].as_py())} in row "
            f"{rows[place] + 1}; correct it, or add it to `missing_values` (CSV)"
        )
    return numbers(found)


def _first(cells: pa.ChunkedArray, is_wrong: Callable[[pa.ChunkedArray], bool]) -> int:
    """Return the place of the first wrong cell, by halves."""
    low, high = 0, len(cells)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_wrong(cells.slice(low, middle - low)) else (middle, high)
    return low


def _gaps(values: pa.ChunkedArray, what: str, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return a text column of missing values as NaN.

    Raises:
        UserError: there is a text.
    """
    there = present(values)
    if there.any():
        place = int(there.argmax())
        came = shown(values[place].as_py())
        raise UserError(f"{what} should be numbers, got {came} in row {rows[place] + 1}")
    return np.full(len(values), np.nan)


def _texts(
    values: pa.ChunkedArray, kind: str, column: Column, what: str, rows: NDArray[np.intp]
) -> NDArray[np.object_]:
    """Return texts as the model takes them, empty where they are missing.

    Raises:
        UserError: a category is a number (1 and 1.0 would be two texts), or a text has a NUL.
    """
    if kind == "number":
        if column.kind == "category":
            raise UserError(
                f"{what} should be text, got the type {values.type}; store it as the text that it "
                "was in training"
            )
        return texts(values)
    with_nul = pc.fill_null(pc.match_substring(values, "\0"), False)
    if pc.any(with_nul).as_py():
        place = rows[pc.index(with_nul, True).as_py()]
        raise UserError(f"{what} has a NUL character in row {place + 1}; remove it")
    found: NDArray[np.object_] = pc.fill_null(values, "").to_numpy()
    return found
