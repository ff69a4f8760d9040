"""What a stage reads of earlier stages: schema, rows and predictions, checked."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.errors import UserError
from onnxpress.models import MODEL_KEYS
from onnxpress.pipeline.files import TO_MAKE, read_json
from onnxpress.pipeline.outputs import CALIBRATION, PREDICTIONS, SCHEMA, TRAIN
from onnxpress.reading import open_bytes
from onnxpress.tables.cells import text_of_cell
from onnxpress.tables.mapped import PIECE_ROWS
from onnxpress.tables.names import predicted_columns
from onnxpress.tables.rows import Rows, as_rows, joined_rows
from onnxpress.tables.schema import Column, Schema, as_schema
from onnxpress.tables.tensors import from_bytes

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import parquet


def read_schema(path: Path = SCHEMA) -> Schema:
    """Read outputs/schema.json, or another that the prepare stage has written.

    Raises:
        UserError: the file is missing or is not what the prepare stage writes.
    """
    try:
        return as_schema(read_json(path))
    except ValueError as error:
        again = "run `dvc repro --force prepare`"
        raise UserError(
            f"{path} is not what the prepare stage writes ({error}); {again}"
        ) from error


def read_training() -> tuple[Schema, Rows, Rows]:
    """Read the schema, the training rows and the calibration rows.

    Raises:
        UserError: as :func:`read_schema` and :func:`read_rows`.
    """
    schema = read_schema()
    return schema, read_rows(TRAIN, schema), read_rows(CALIBRATION, schema)


def read_rows(path: Path, schema: Schema) -> Rows:
    """Read a Parquet file that the prepare stage has written.

    Raises:
        UserError: the file is missing, is not Parquet, or lacks a column of the schema.
    """
    with _stored(path) as file:
        # threads of pyarrow may abort a process that is ending
        return _rows(file.read(use_threads=False), schema)


def rows_in_pieces(path: Path, schema: Schema) -> Iterator[Rows]:
    """Yield the rows of a Parquet file that the prepare stage has written, some at a time.

    Raises:
        UserError: as :func:`read_rows`.
    """
    from pyarrow import Table

    with _stored(path) as file:
        for batch in file.iter_batches(PIECE_ROWS, use_threads=False):
            yield _rows(Table.from_batches([batch]), schema)


def read_first_rows(path: Path, schema: Schema, rows: int) -> Rows:
    """Read at most so many rows, the first ones, of a file that the prepare stage has written.

    Raises:
        UserError: as :func:`read_rows`.
    """
    parts: list[Rows] = []
    for piece in rows_in_pieces(path, schema):
        parts.append(piece)
        if sum(map(len, parts)) >= rows:
            break
    found = joined_rows(parts, sum(map(len, parts))) if parts else read_rows(path, schema)
    return found.take(np.arange(min(rows, len(found))))


def read_chosen_rows(path: Path, schema: Schema, numbers: Sequence[int]) -> tuple[Rows, int]:
    """Read the rows with these numbers, from 0, in this order, and return how many there are.

    Raises:
        UserError: as :func:`read_rows`.
    """
    chosen = np.array(sorted(set(numbers)), np.intp)
    parts, first = [read_first_rows(path, schema, 0)], 0
    for piece in rows_in_pieces(path, schema):
        inside = chosen[(chosen >= first) & (chosen < first + len(piece))]
        parts.append(piece.take(inside - first))
        first += len(piece)
    places = np.searchsorted(chosen, np.array(numbers, np.intp))
    return joined_rows(parts, len(chosen)).take(places), first


def count_rows(path: Path) -> int:
    """Return how many rows a file of the prepare stage has.

    Raises:
        UserError: as :func:`read_rows`.
    """
    with _stored(path) as file:
        return int(file.metadata.num_rows)


def read_many_rows(path: Path, schema: Schema) -> Rows:
    """Read a Parquet file that the prepare stage has written, however many rows it has.

    Its numbers are where :func:`.arrays_in` says. A text takes the memory of a pointer, 8 bytes.

    Raises:
        UserError: as :func:`read_rows`, or the disk is full.
    """
    rows = count_rows(path)
    if rows <= PIECE_ROWS:
        return read_rows(path, schema)
    return joined_rows(rows_in_pieces(path, schema), rows)


def _rows(table: pa.Table, schema: Schema) -> Rows:
    values = {column.name: _values(table[column.name], column) for column in schema.columns}
    targets = [table[name].to_numpy() for name in schema.targets]
    groups = None if schema.group is None else table[schema.group].to_numpy()
    target = np.stack(targets, axis=1) if schema.has_several_targets else targets[0]
    target = target.astype(str) if target.dtype == object else target
    return as_rows(values, target, schema, groups)


@contextmanager
def _stored(path: Path) -> Iterator[parquet.ParquetFile]:
    """Yield an opened Parquet file that the prepare stage has written.

    Raises:
        UserError: the file is missing, or the block finds it to be something else.
    """
    from pyarrow import parquet  # 0.2 s that stages without rows need not pay

    with open_bytes(path, TO_MAKE) as opened:  # no audit hook sees a file that C++ opens
        try:
            yield parquet.ParquetFile(opened, pre_buffer=False)
        except (OSError, ValueError, KeyError) as error:  # Arrow's errors are such
            raise UserError(
                f"{path} is not what the prepare stage writes ({error}); "
                "run `dvc repro --force prepare`"
            ) from error


def _values(stored: Any, column: Column) -> NDArray[Any]:
    """Return the values of a stored column, (rows,), or (rows, ...) of tensors."""
    return from_bytes(stored, column) if column.kind == "tensor" else stored.to_numpy()


def predictions_in_pieces(schema: Schema) -> Iterator[dict[str, NDArray[np.str_]]]:
    """Yield outputs/predictions.csv: ``target`` and each model's predictions, (rows,) of text.

    Of several targets, they are (rows, targets). There is at least one piece.

    Raises:
        UserError: the file is missing or is not what the evaluate stage writes.
    """
    again, empty = "run `dvc repro --force evaluate`", True
    with open_bytes(PREDICTIONS, TO_MAKE) as file:
        try:
            reader = csv.DictReader(io.TextIOWrapper(file, "utf-8", newline="\n"))
            while rows := list(islice(reader, PIECE_ROWS)):
                yield {name: _texts(rows, name, schema) for name in ("target", *MODEL_KEYS)}
                empty = False
        except (KeyError, ValueError, csv.Error) as error:
            raise UserError(
                f"{PREDICTIONS} is not what the evaluate stage writes ({error!r}); {again}"
            ) from error
    if empty:
        raise UserError(f"{PREDICTIONS} holds no row; {again}")


def chosen_predictions(
    pieces: Iterable[Mapping[str, NDArray[np.str_]]], numbers: Sequence[int]
) -> dict[str, NDArray[np.str_]]:
    """Return the rows of predictions.csv with these numbers, from 0, in this order."""
    wanted, first = np.array(numbers, np.intp), 0
    found: dict[str, NDArray[np.str_]] = {}
    for piece in pieces:
        inside = (wanted >= first) & (wanted < first + len(piece["target"]))
        for name, values in piece.items():
            own = found.get(name, np.empty((len(wanted), *values.shape[1:]), np.str_))
            own = own.astype(np.promote_types(own.dtype, values.dtype))
            own[inside] = values[wanted[inside] - first]
            found[name] = own
        first += len(piece["target"])
    return found


def _texts(rows: list[dict[str, str]], name: str, schema: Schema) -> NDArray[np.str_]:
    """Return what one model predicts for some rows of predictions.csv, or the target."""
    heads = predicted_columns(name, schema.targets)
    texts = [[text_of_cell(row[head] or "") for head in heads] for row in rows]
    table = np.array(texts, np.str_).reshape(len(rows), len(heads))
    return table if schema.has_several_targets else table[:, 0]
