"""Parquet files read as one table, a piece of the rows at a time.

Files may differ in the order of columns, in columns that some lack, and in the types of numbers
and text, as long as no value changes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from onnxpress.errors import UserError
from onnxpress.tables.arrow_types import decoded
from onnxpress.tables.folders import partition_values
from onnxpress.tables.parquet_file import columns_in_batches
from onnxpress.tables.pieces import Piece, rows_of_piece
from onnxpress.tables.wording import shown

WHOLE = re.compile(r"-?\d{1,18}")


@dataclass(frozen=True)
class JoinedColumn:
    """A column of all files: its type, and the file that it has this type from."""

    kind: pa.DataType
    path: Path
    other: Path | None = None
    """A file with another type, in which the same values are written in another way."""


@dataclass(frozen=True)
class JoinedFiles:
    """Parquet files as one table."""

    paths: tuple[Path, ...]
    columns: dict[str, JoinedColumn]
    """By name, in the order in which the files have them; those of the folders' names last."""
    partitions: dict[Path, dict[str, str | None]]
    states: dict[Path, os.stat_result]
    lines: tuple[str, ...]
    """What may surprise about the files."""

    def empty(self) -> pa.Table:
        """Return the table without its rows."""
        fields = [pa.field(name, column.kind) for name, column in self.columns.items()]
        return pa.schema(fields).empty_table()

    def pieces(self, names: Sequence[str], most: int | None = None) -> Iterator[Piece]:
        """Yield columns of all files, one file after another, with at most ``most`` rows each.

        Raises:
            UserError: a file cannot be read, has a value that its column cannot take, or changes.
        """
        most = rows_of_piece(len(self.columns)) if most is None else most
        for path in self.paths:
            first = 0
            for table in columns_in_batches(path, names, most):
                columns = [self._column(path, name, table) for name in names]
                yield Piece(path, first, pa.table(columns, names=list(names)))
                first += table.num_rows
            self._refuse_changed(path)

    def _column(self, path: Path, name: str, table: pa.Table) -> pa.ChunkedArray:
        """Return a column of a piece in the type that it has in all files.

        Raises:
            UserError: a value would change.
        """
        kind = self.columns[name].kind
        if name in self.partitions[path]:
            value = pa.scalar(self.partitions[path][name], pa.string())
            return pa.chunked_array([pc.cast(pa.repeat(value, table.num_rows), kind)])
        if (
            table.schema.get_field_index(name) < 0
        ):  # a list of names takes long where there are many
            return pa.chunked_array([pa.nulls(table.num_rows, kind)])
        try:
            return pc.cast(decoded(table[name]), kind)
        except pa.ArrowException as error:
            raise UserError(
                f"column {shown(name)} is of the type {kind} in {self.columns[name].path}, and "
                f"{path} has a value that would change ({error}); write both with one type"
            ) from error

    def _refuse_changed(self, path: Path) -> None:
        """See that a file is still the one whose columns were looked at.

        Raises:
            UserError: it is not.
        """
        before, after = self.states[path], path.stat() if path.exists() else None
        same = after is not None and after.st_size == before.st_size
        if after is None or not same or after.st_mtime_ns != before.st_mtime_ns:
            raise UserError(f"{path} changed while it was read; run again")


def join_files(paths: Sequence[Path], folder: Path) -> JoinedFiles:
    """Look at the columns of Parquet files below ``folder``, and join their types.

    Columns that a file lacks have no value in its rows. Folders that are called ``name=value`` are
    columns: of whole numbers, if all values are such, or else of text.

    Raises:
        UserError: a file cannot be read, or two have types of a column that cannot be joined.
    """
    partitions = {path: partition_values(path, folder) for path in paths}
    states = {path: path.stat() for path in paths}
    columns: dict[str, JoinedColumn] = {}
    lacking: dict[str, Path] = {}
    for path in paths:
        fields = {field.name: _kind(field.type) for field in _schema_of(path)}
        _refuse_partitions(path, fields, partitions[path], paths[0], partitions[paths[0]])
        for name, kind in fields.items():
            if name not in columns and path != paths[0]:
                lacking[name] = paths[0]
            columns[name] = _joined(name, columns.get(name), JoinedColumn(kind, path))
        lacking |= {name: path for name in columns if name not in fields and name not in lacking}
    lines = tuple(
        f"column {shown(name)} is not in {path}: its rows have no value there"
        for name, path in lacking.items()
    )
    for name in partitions[paths[0]]:
        values = [value for each in partitions.values() if (value := each[name]) is not None]
        whole = values and all(WHOLE.fullmatch(value) for value in values)
        columns[name] = JoinedColumn(pa.int64() if whole else pa.large_string(), paths[0])
    return JoinedFiles(tuple(paths), columns, partitions, states, lines)


def _schema_of(path: Path) -> pa.Schema:
    """Return the columns of a Parquet file."""
    start = next(columns_in_batches(path, None, 1))
    return start.schema


def _kind(kind: pa.DataType) -> pa.DataType:
    """Return the type in which values of a type are joined: see :func:`.decoded`."""
    return decoded(pa.chunked_array([], kind)).type


def _joined(name: str, one: JoinedColumn | None, other: JoinedColumn) -> JoinedColumn:
    """Return a column in the type that takes the values of two files.

    Raises:
        UserError: there is none.
    """
    if one is None or one.kind == other.kind or types.is_null(one.kind):
        return other if one is None or types.is_null(one.kind) else one
    if types.is_null(other.kind):
        return one
    schemas = [pa.schema([("", each.kind)]) for each in (one, other)]
    mixed = {
        types.is_decimal(each.kind) + 2 * types.is_floating(each.kind) for each in (one, other)
    }
    try:
        if mixed == {1, 2}:
            raise pa.ArrowTypeError("decimals and floats")
        kind = pa.unify_schemas(schemas, promote_options="permissive").field(0).type
    except pa.ArrowException as error:
        raise UserError(
            f"column {shown(name)} is of the type {one.kind} in {one.path} and {other.kind} in "
            f"{other.path}; write both with one type"
        ) from error
    unlike = None if types.is_integer(kind) else other.path
    return JoinedColumn(kind, one.path if kind == one.kind else other.path, one.other or unlike)


def _refuse_partitions(
    path: Path,
    fields: dict[str, pa.DataType],
    partitions: dict[str, str | None],
    first: Path,
    expected: dict[str, str | None],
) -> None:
    """See that all files lie in folders of the same names, which are no columns of theirs too.

    Raises:
        UserError: they do not.
    """
    if partitions.keys() != expected.keys():
        raise UserError(
            f"{path} lies in folders of {list(partitions)}, and {first} in folders of "
            f"{list(expected)}; both should name the same columns"
        )
    if twice := fields.keys() & partitions.keys():
        raise UserError(
            f"{path} has a column {shown(min(twice))}, and lies in a folder that names it too; "
            "rename one"
        )
