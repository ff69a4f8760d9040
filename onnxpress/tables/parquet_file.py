"""Parquet files as tables of their columns, without the index that pandas stores with them.

The columns keep the types of the file here; what each type means to a model is decided in
:mod:`onnxpress.tables.arrow_types`.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from onnxpress.errors import UserError
from onnxpress.reading import open_bytes, read_bytes
from onnxpress.tables.tensors import Arrays, as_bytes
from onnxpress.tables.wording import listed, shown

BUFFER_BYTES = 1 << 20
"""Read at a time of each column that is read in parts."""

UNNAMED_INDEX = re.compile(r"__index_level_\d+__")


def read_columns(path: Path) -> tuple[pa.Table, list[str]]:
    """Read the columns of a Parquet file, and lines about what pandas stored with them.

    An index is not a column: it is left out, and a line says so.

    Raises:
        UserError: the file is no Parquet file, or a column has no name or another's.
    """
    try:
        table = read_table(read_bytes(path))
        table.validate(full=True)  # text may not be UTF-8
    except (OSError, ValueError, pa.ArrowException) as error:
        raise UserError(f"{path} should be a Parquet file: {error}") from error
    stored = pandas_metadata(table.schema)
    index = index_columns(table.column_names, stored)
    kept = [place for place, name in enumerate(table.column_names) if name not in index]
    lines = [*index_lines(path, index), *level_lines(path, stored)]
    table = table.select(kept)
    check_names(path, table.column_names, index)
    return table.replace_schema_metadata(None), lines


def columns_in_batches(path: Path, wanted: Collection[str] | None, rows: int) -> Iterator[pa.Table]:
    """Yield columns of a Parquet file, at most so many rows at a time.

    The first part has no rows, so that the columns of a file without any are known. Columns in
    ``wanted`` that the file does not have are left out; None wants all. However large a row group
    is, a part of it alone is in memory.

    Raises:
        UserError: as :func:`read_columns`.
    """
    with open_bytes(path) as opened:
        try:
            file = parquet.ParquetFile(opened, pre_buffer=False, buffer_size=BUFFER_BYTES)
            every = file.schema_arrow
            index = index_columns(every.names, pandas_metadata(every))
            names = [name for name in every.names if name not in index]
            check_names(path, names, index)
            kept = [name for name in names if wanted is None or name in wanted]
            kept = kept or names[:1]  # without any column, Arrow forgets how many rows there are
            yield every.empty_table().select(kept).replace_schema_metadata(None)
            for batch in file.iter_batches(rows, columns=kept, use_threads=False):
                # "a" stands for columns like "a.b" too
                table = pa.Table.from_batches([batch]).select(kept)
                table.validate(full=True)  # text may not be UTF-8
                yield table.replace_schema_metadata(None)
        except (OSError, ValueError, pa.ArrowException) as error:
            why = " ".join(str(error).split())
            raise UserError(f"{path} should be a Parquet file: {why}") from error


def read_table(data: bytes) -> pa.Table:
    """Read all columns of a Parquet file, under any names.

    Read without threads: a process that ends while Arrow's own threads start is aborted (1 in 20
    on a busy machine).
    """
    file = parquet.ParquetFile(pa.BufferReader(data), pre_buffer=False)
    return file.read(use_threads=False)


def pandas_metadata(schema: pa.Schema) -> dict[str, Any]:
    """Return pandas' note on index and column names; empty if another program wrote the file."""
    try:
        stored = schema.pandas_metadata
    except ValueError:
        return {}
    return stored if isinstance(stored, dict) else {}


def index_columns(names: list[str], stored: dict[str, Any]) -> list[str]:
    """Return columns that were a DataFrame's index, by pandas' note or by the name it gives."""
    noted = stored.get("index_columns", [])
    return [name for name in names if name in noted or UNNAMED_INDEX.fullmatch(name)]


def check_names(path: Path, names: list[str], index: list[str]) -> None:
    """Check that each column has a name of its own.

    Raises:
        UserError: one has none, two have the same, or only the index is left.
    """
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise UserError(
            f"{path}: column {shown(twice)} is there more than once; rename or drop one"
        )
    nul = next((name for name in names if "\0" in name), None)
    if nul is not None:
        raise UserError(f"{path}: column {shown(nul)} has a NUL character in its name; rename it")
    if "" in names:
        place = names.index("") + 1
        raise UserError(f"{path}: column {place} has no name; name it or drop it")
    if not names:
        came = f" beside its index {listed(index)}; use reset_index()" if index else ""
        raise UserError(f"{path} has no columns{came}")


def index_lines(path: Path, index: list[str]) -> list[str]:
    """Return a line about an index that holds values; row numbers are not stored as a column."""
    if not index:
        return []
    named = [name for name in index if not UNNAMED_INDEX.fullmatch(name)]
    came = f"index {listed(named)}" if named else "unnamed index"
    line = (
        f"{path}: the DataFrame's {came} is left out; "
        "call reset_index() before to_parquet to make it a column"
    )
    return [line]


def level_lines(path: Path, stored: dict[str, Any]) -> list[str]:
    """Return a line about names of several levels, which Parquet stores as one text."""
    if len(stored.get("column_indexes", [])) < 2:
        return []
    first = next((c["field_name"] for c in stored["columns"] if c.get("field_name")), "")
    return [f"{path}: names of several levels are one text each here, such as {shown(first)}"]


def parquet_bytes(frame: pd.DataFrame, tensors: Arrays = MappingProxyType({})) -> bytes:
    """Return the rows as a Parquet file without pandas' metadata: same rows, same bytes.

    The index of the frame says which rows of ``tensors`` these are. A tensor is a column of bytes.
    """
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    for name, values in tensors.items():
        table = table.append_column(name, as_bytes(values, frame.index.to_numpy()))
    buffer = io.BytesIO()
    # a dictionary of images would hold each of them
    parquet.write_table(table, buffer, use_dictionary=list(frame.columns) if tensors else True)
    return buffer.getvalue()
