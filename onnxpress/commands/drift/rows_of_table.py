"""The rows of a table or of arrays as a model's inputs, a piece at a time, whatever is in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from onnxpress.drift.profiling import PREDICTED_ROWS
from onnxpress.errors import UserError
from onnxpress.tables.array_files import read_inputs
from onnxpress.tables.arrow_types import is_number, numbers, present, texts
from onnxpress.tables.csv_types import CsvForm, as_booleans, as_numbers, as_values, without_missing
from onnxpress.tables.folders import files_in
from onnxpress.tables.joined_files import join_files
from onnxpress.tables.names import input_name
from onnxpress.tables.parquet_file import columns_in_batches
from onnxpress.tables.pieces import pieces, rows_of_piece
from onnxpress.tables.rows import Feeds, as_rows
from onnxpress.tables.schema import Column, Schema
from onnxpress.tables.sources import ARRAYS, columns_of_matrix, matrix_of
from onnxpress.tables.tensors import Arrays, as_tensor, from_bytes
from onnxpress.tables.wording import shown

PARQUET = ".parquet"


class TableRows:
    """The rows of a file, or of a folder or a glob of Parquet files.

    Columns are matched by name, others are left out. Missing values and infinite ones are kept, as
    they are what drift may be. A text among numbers counts as missing.
    """

    def __init__(self, table: str, form: CsvForm, schema: Schema) -> None:
        """Look for the files.

        Raises:
            UserError: there are none.
        """
        self.table, self.form, self.schema = table, form, schema
        self.names = [column.name for column in schema.columns]
        whole_calls = max(1, rows_of_piece(len(self.names)) // PREDICTED_ROWS)
        self.rows = PREDICTED_ROWS * (1 if schema.has_tensors else whole_calls)
        self.path, self.several = Path(table), not Path(table).is_file()
        self._notes: list[str] = []
        self._texts: Counter[str] = Counter()
        if self.several:
            self.folder, found = files_in(table)
            self.paths = [path for path in found if path.suffix == PARQUET]
            if not self.paths:
                raise UserError(f"{table!r} has no {PARQUET} file; correct the path")
            if others := len(found) - len(self.paths):
                self._notes.append(f"{others} files that do not end with {PARQUET} are left out")
        else:
            self.folder, self.paths = self.path.parent, [self.path]

    @property
    def lines(self) -> list[str]:
        """What could not be taken as it was, once all pieces have been."""
        wrong = [
            f"column {shown(name)}: {count} texts among numbers count as missing"
            for name, count in self._texts.items()
        ]
        return [*self._notes, *wrong]

    def pieces(self) -> Iterator[Feeds]:
        """Yield the rows, in pieces of as many whole calls of the model as fit into one.

        Raises:
            UserError: a file cannot be read, or lacks a column.
        """
        if self.schema.has_tensors:
            yield from self._tensors()
            return
        if not self.several and self.path.suffix in ARRAYS:
            tables = self._of_matrix()
        elif not self.several and self.path.suffix == ".csv":
            tables = self._of_csv()
        else:
            tables = self._of_parquet()
        for table in tables:
            columns = {
                each.name: self._values(each, table[each.name]) for each in self.schema.columns
            }
            yield as_rows(columns, np.zeros(table.num_rows), self.schema).feeds

    def _refuse_lacking(self, there: list[str]) -> None:
        """See that there are all columns.

        Raises:
            UserError: one lacks.
        """
        if lacking := [name for name in self.names if name not in there]:
            raise UserError(
                f"{self.table} lacks the column {', '.join(map(shown, lacking))}; expected all "
                f"columns of the training rows, got {', '.join(map(shown, there))}"
            )

    def _of_matrix(self) -> Iterator[pa.Table]:
        matrix = matrix_of(self.path)
        self._refuse_lacking(columns_of_matrix(matrix[:1]).column_names)
        for first in range(0, len(matrix), self.rows):
            yield columns_of_matrix(matrix[first : first + self.rows])

    def _of_parquet(self) -> Iterator[pa.Table]:
        files = join_files(self.paths, self.folder)
        self._notes += files.lines
        self._refuse_lacking(list(files.columns))
        held: list[pa.Table] = []
        for piece in files.pieces(self.names, self.rows):
            held.append(piece.table)
            if sum(each.num_rows for each in held) >= self.rows:
                table = pa.concat_tables(held)
                yield table.slice(0, self.rows)
                held = [table.slice(self.rows)]
        if any(each.num_rows for each in held):
            yield pa.concat_tables(held)

    def _of_csv(self) -> Iterator[pa.Table]:
        """A column is numbers if all its cells are, so the file is read for that first."""
        numeric = [column.name for column in self.schema.columns if column.kind == "number"]
        of_numbers, of_truths = set(numeric), set(numeric)
        for table in self._cells():
            for name in of_numbers | of_truths:
                cells = pa.compute.utf8_trim_whitespace(table[name])
                if as_booleans(cells) is None:
                    of_truths.discard(name)
                if as_numbers(cells, self.form) is None:
                    of_numbers.discard(name)
        for table in self._cells():
            columns = {
                name: as_values(table[name], self.form)
                if name in of_numbers | of_truths
                else table[name]
                for name in self.names
            }
            yield pa.table(columns)

    def _cells(self) -> Iterator[pa.Table]:
        """Yield the text of the cells, null where a value is missing."""
        for piece in pieces(self.path, self.names, self.rows):
            if piece.table.num_rows:
                yield pa.table(
                    {
                        name: without_missing(piece.table[name], self.form.missing)
                        for name in self.names
                    }
                )

    def _values(self, column: Column, values: pa.ChunkedArray) -> NDArray[np.generic]:
        if column.kind != "number":
            return texts(values).astype(object)
        kind = values.type
        if is_number(kind) or pa.types.is_null(kind):
            with np.errstate(over="ignore"):
                return numbers(values).astype(np.float32)
        parsed = np.array([_number(text) for text in texts(values)], np.float32)
        if wrong := int((np.isnan(parsed) & present(values)).sum()):
            self._texts[column.name] += wrong
        return parsed

    def _tensors(self) -> Iterator[Feeds]:
        """Yield the arrays by the names of the inputs.

        Raises:
            UserError: they are in no file of arrays, or one lacks, has another shape or no number.
        """
        for arrays in self._arrays():
            feeds: Feeds = {}
            for column in self.schema.columns:
                feeds[input_name(column.name)] = self._tensor(column, arrays)
            counts = {name: len(values) for name, values in feeds.items()}
            if len(set(counts.values())) > 1:
                raise UserError(
                    f"the arrays of {self.table} should have as many rows each, got {counts}"
                )
            yield feeds

    def _tensor(self, column: Column, arrays: Arrays) -> NDArray[np.generic]:
        values = arrays.get(column.name)
        if values is None or values.shape[1:] != column.shape or values.dtype.kind == "U":
            came = "none" if values is None else f"{values.dtype} {values.shape}"
            raise UserError(
                f"{self.table} should have an array {shown(column.name)} of the shape "
                f"{('rows', *column.shape)}, got {came}"
            )
        with np.errstate(invalid="ignore"):
            typed = as_tensor(values).astype(column.dtype)
        if not np.array_equal(typed, as_tensor(values), equal_nan=True):
            raise UserError(
                f"{self.table}: array {shown(column.name)} should hold {column.dtype} numbers, got "
                f"{values.dtype} ones that are none"
            )
        return typed

    def _arrays(self) -> Iterator[Arrays]:
        """Yield some rows of each array in the file."""
        if self.several or self.path.suffix == PARQUET:
            yield from self._stored()
            return
        if self.path.suffix not in ARRAYS:
            raise UserError(
                f"{self.table} should be a {' or '.join(ARRAYS)} file, as the model takes arrays"
            )
        arrays = read_inputs(self.path)
        for first in range(0, max(len(values) for values in arrays.values()), self.rows):
            yield {name: values[first : first + self.rows] for name, values in arrays.items()}

    def _stored(self) -> Iterator[Arrays]:
        """Yield the tensors of rows that the prepare stage has written, by name.

        Raises:
            UserError: the file is another.
        """
        for path in self.paths:
            for table in columns_in_batches(path, self.names, self.rows):
                try:
                    arrays = {
                        each.name: from_bytes(table[each.name], each)
                        for each in self.schema.columns
                    }
                except (KeyError, ValueError) as error:
                    raise UserError(
                        f"{path} should hold arrays as the prepare stage writes them, or be a "
                        f"{' or '.join(ARRAYS)} file ({error})"
                    ) from error
                if table.num_rows:
                    yield arrays


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
