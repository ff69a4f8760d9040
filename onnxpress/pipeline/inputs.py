"""What a stage reads of earlier stages: schema, rows and predictions, checked."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onnxpress.errors import UserError
from onnxpress.models import MODEL_KEYS
from onnxpress.pipeline.files import read_bytes, read_json
from onnxpress.pipeline.outputs import CALIBRATION, PREDICTIONS, SCHEMA, TRAIN
from onnxpress.tables.cells import text_of_cell
from onnxpress.tables.names import predicted_columns
from onnxpress.tables.rows import Rows, as_rows
from onnxpress.tables.schema import Schema, as_schema


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
    import pyarrow as pa  # 0.2 s that stages without rows need not pay
    from pyarrow import parquet

    try:
        data = pa.BufferReader(read_bytes(path))  # no audit hook sees a file that C++ opens
        # threads of pyarrow may abort a process that is ending
        table = parquet.ParquetFile(data, pre_buffer=False).read(use_threads=False)
        values = {column.name: table[column.name].to_numpy() for column in schema.columns}
        targets = [table[name].to_numpy() for name in schema.targets]
        groups = None if schema.group is None else table[schema.group].to_numpy()
    except (OSError, pa.ArrowException, KeyError) as error:
        raise UserError(
            f"{path} is not what the prepare stage writes ({error}); "
            "run `dvc repro --force prepare`"
        ) from error
    target = np.stack(targets, axis=1) if schema.has_several_targets else targets[0]
    target = target.astype(str) if target.dtype == object else target
    return as_rows(values, target, schema, groups)


def read_predictions(schema: Schema) -> dict[str, NDArray[np.str_]]:
    """Read outputs/predictions.csv: ``target`` and each model's predictions, (rows,) of text.

    Of several targets, they are (rows, targets).

    Raises:
        UserError: the file is missing or is not what the evaluate stage writes.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(read_bytes(PREDICTIONS).decode())))
        columns = {}
        for name in ("target", *MODEL_KEYS):
            heads = predicted_columns(name, schema.targets)
            texts = [[text_of_cell(row[head] or "") for head in heads] for row in rows]
            table = np.array(texts, np.str_).reshape(len(rows), len(heads))
            columns[name] = table if schema.has_several_targets else table[:, 0]
    except (KeyError, ValueError, csv.Error) as error:
        again = "run `dvc repro --force evaluate`"
        raise UserError(
            f"{PREDICTIONS} is not what the evaluate stage writes ({error!r}); {again}"
        ) from error
    if not rows:
        raise UserError(f"{PREDICTIONS} holds no row; run `dvc repro --force evaluate`")
    return columns
