"""What a stage reads of earlier stages: schema, rows and predictions, checked."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from math import prod
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.errors import UserError
from onnxpress.models import MODEL_KEYS
from onnxpress.pipeline.files import TO_MAKE, read_bytes, read_json
from onnxpress.pipeline.outputs import CALIBRATION, PREDICTIONS, SCHEMA, TRAIN
from onnxpress.reading import open_bytes
from onnxpress.tables.cells import text_of_cell
from onnxpress.tables.names import predicted_columns
from onnxpress.tables.rows import PIECE_ROWS, Feeds, Rows, as_rows
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


def read_rows_on_disk(path: Path, schema: Schema) -> Rows:
    """Read a Parquet file that the prepare stage has written, however many rows it has.

    Its numbers are in a file that is mapped into memory, so that the kernel loads and drops them as
    they are needed. A text takes the memory of a pointer, 8 bytes, and the target its own.

    Raises:
        UserError: as :func:`read_rows`.
    """
    from pyarrow import Table

    with _stored(path) as file:
        rows, first, targets, groups = file.metadata.num_rows, 0, [], []
        if rows <= PIECE_ROWS:
            return _rows(file.read(use_threads=False), schema)
        feeds: Feeds = {}
        for batch in file.iter_batches(PIECE_ROWS, use_threads=False):
            piece = _rows(Table.from_batches([batch]), schema)
            for name, values in piece.feeds.items():
                if name not in feeds:
                    feeds[name] = _room((rows, *values.shape[1:]), values.dtype, path.parent)
                feeds[name][first : first + len(piece)] = _shared(values)
            targets.append(piece.target)
            groups.append(piece.groups)
            first += len(piece)
    known = [each for each in groups if each is not None]
    return Rows(feeds, np.concatenate(targets), np.concatenate(known) if known else None)


def _room(shape: tuple[int, ...], kind: np.dtype[Any], folder: Path) -> NDArray[Any]:
    """Return an array of numbers on the disk, which is gone with the process, or of texts.

    Raises:
        UserError: the disk is full.
    """
    if kind.kind == "O":
        return np.empty(shape, object)
    size = prod(shape) * kind.itemsize
    try:
        with TemporaryFile(dir=folder) as file:
            if hasattr(os, "posix_fallocate"):  # a full disk would end with SIGBUS later
                os.posix_fallocate(file.fileno(), 0, size)
            return np.asarray(np.memmap(file, kind, "w+", shape=shape))
    except OSError as error:
        raise UserError(
            f"{folder}/ should have {size / 2**20:.0f} MB of room while rows are predicted "
            f"({error.strerror or error}); free the disk and run again"
        ) from error


def _shared(values: NDArray[Any]) -> NDArray[Any]:
    """Return texts of which equal ones are one object; numbers as they are."""
    if values.dtype.kind != "O":
        return values
    known: dict[str, str] = {}
    flat = [known.setdefault(text, text) for text in values.ravel()]
    return np.array(flat, object).reshape(values.shape)


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


def read_predictions(schema: Schema) -> dict[str, NDArray[np.str_]]:
    """Read outputs/predictions.csv: ``target`` and each model's predictions, (rows,) of text.

    Of several targets, they are (rows, targets).

    Raises:
        UserError: the file is missing or is not what the evaluate stage writes.
    """
    parts: dict[str, list[NDArray[np.str_]]] = {name: [] for name in ("target", *MODEL_KEYS)}
    try:
        reader = csv.DictReader(io.StringIO(read_bytes(PREDICTIONS).decode()))
        while rows := list(islice(reader, PIECE_ROWS)):
            for name, found in parts.items():
                heads = predicted_columns(name, schema.targets)
                texts = [[text_of_cell(row[head] or "") for head in heads] for row in rows]
                table = np.array(texts, np.str_).reshape(len(rows), len(heads))
                found.append(table if schema.has_several_targets else table[:, 0])
    except (KeyError, ValueError, csv.Error) as error:
        again = "run `dvc repro --force evaluate`"
        raise UserError(
            f"{PREDICTIONS} is not what the evaluate stage writes ({error!r}); {again}"
        ) from error
    if not parts["target"]:
        raise UserError(f"{PREDICTIONS} holds no row; run `dvc repro --force evaluate`")
    return {name: np.concatenate(found) for name, found in parts.items()}
