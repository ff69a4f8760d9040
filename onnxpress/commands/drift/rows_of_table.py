"""The rows of a file of a table or of arrays as a model's inputs, whatever is in them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from onnxpress.errors import UserError
from onnxpress.tables.array_files import read_inputs
from onnxpress.tables.arrow_types import is_number, numbers, present, texts
from onnxpress.tables.csv_file import read_cells
from onnxpress.tables.csv_types import CsvForm, typed
from onnxpress.tables.names import input_name
from onnxpress.tables.parquet_file import read_columns
from onnxpress.tables.rows import Feeds, as_rows
from onnxpress.tables.schema import Column, Schema
from onnxpress.tables.sources import ARRAYS, columns_of_matrix, matrix_of
from onnxpress.tables.tensors import as_tensor, from_bytes
from onnxpress.tables.wording import shown


@dataclass(frozen=True)
class Batch:
    """Rows as they came, and what could not be taken as it was."""

    feeds: Feeds
    lines: tuple[str, ...] = ()


def rows_of_table(path: Path, form: CsvForm, schema: Schema) -> Batch:
    """Return the rows of a file; columns are matched by name, others are left out.

    Missing values and infinite ones are kept, as they are what drift may be. A text among numbers
    counts as missing, and a line says so.

    Raises:
        UserError: the file cannot be read, has no row, or lacks a column.
    """
    words = tuple(column.name for column in schema.columns if column.kind != "number")
    lines: list[str] = []
    if schema.has_tensors:
        return Batch(_tensors(path, schema))
    if path.suffix in ARRAYS:
        table = columns_of_matrix(matrix_of(path))
    elif path.suffix == ".csv":
        table = typed(read_cells(path), form, words)
    else:
        table, lines = read_columns(path)
    lacking = [column.name for column in schema.columns if column.name not in table.column_names]
    if lacking:
        raise UserError(
            f"{path} lacks the column {', '.join(map(shown, lacking))}; expected all columns "
            f"of the training rows, got {', '.join(map(shown, table.column_names))}"
        )
    if not table.num_rows:
        raise UserError(f"{path} has no row; expected at least one")
    columns = {}
    for column in schema.columns:
        columns[column.name], line = _values(column, table[column.name])
        lines = [*lines, *line]
    target = np.zeros(table.num_rows)
    return Batch(as_rows(columns, target, schema).feeds, tuple(lines))


def _tensors(path: Path, schema: Schema) -> Feeds:
    """Return the arrays of a file by the names of the inputs.

    Raises:
        UserError: it is no file of arrays, or lacks one, or one has another shape or no number.
    """
    if path.suffix == ".parquet":
        arrays = _stored(path, schema)
    elif path.suffix in ARRAYS:
        arrays = read_inputs(path)
    else:
        raise UserError(f"{path} should be a {' or '.join(ARRAYS)} file, as the model takes arrays")
    feeds: Feeds = {}
    for column in schema.columns:
        values = arrays.get(column.name)
        if values is None or values.shape[1:] != column.shape or values.dtype.kind == "U":
            came = "none" if values is None else f"{values.dtype} {values.shape}"
            raise UserError(
                f"{path} should have an array {shown(column.name)} of the shape "
                f"{('rows', *column.shape)}, got {came}"
            )
        with np.errstate(invalid="ignore"):
            typed = as_tensor(values).astype(column.dtype)
        if not np.array_equal(typed, as_tensor(values), equal_nan=True):
            raise UserError(
                f"{path}: array {shown(column.name)} should hold {column.dtype} numbers, got "
                f"{values.dtype} ones that are none"
            )
        feeds[input_name(column.name)] = typed
    counts = {name: len(values) for name, values in feeds.items()}
    if len(set(counts.values())) > 1:
        raise UserError(f"the arrays of {path} should have as many rows each, got {counts}")
    return feeds


def _stored(path: Path, schema: Schema) -> Feeds:
    """Return the tensors of rows that the prepare stage has written, by name.

    Raises:
        UserError: the file is another.
    """
    table, _ = read_columns(path)
    try:
        return {each.name: from_bytes(table[each.name], each) for each in schema.columns}
    except (KeyError, ValueError) as error:
        raise UserError(
            f"{path} should hold arrays as the prepare stage writes them, or be a "
            f"{' or '.join(ARRAYS)} file ({error})"
        ) from error


def _values(column: Column, values: pa.ChunkedArray) -> tuple[NDArray[np.generic], list[str]]:
    if column.kind != "number":
        return texts(values).astype(object), []
    if is_number(values.type) or pa.types.is_boolean(values.type) or pa.types.is_null(values.type):
        with np.errstate(over="ignore"):
            return numbers(values).astype(np.float32), []
    parsed = np.array([_number(text) for text in texts(values)], np.float32)
    wrong = int((np.isnan(parsed) & present(values)).sum())
    line = f"column {shown(column.name)}: {wrong} texts among numbers count as missing"
    return parsed, [line] if wrong else []


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
