"""What a stage reads of earlier stages, checked."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.errors import UserError
from onnxpress.estimators.layout import DoesNotFit, layout
from onnxpress.estimators.loading import load_original
from onnxpress.estimators.parts import set_threads
from onnxpress.pipeline.digest import unexchanged
from onnxpress.pipeline.files import read_bytes, read_json
from onnxpress.pipeline.outputs import MODELS, ORIGINAL_MODEL, PREDICTIONS, SCHEMA
from onnxpress.runtime.checked import checked_onnx
from onnxpress.tables.cells import text_of_cell
from onnxpress.tables.names import NUMERIC_INPUT, input_name
from onnxpress.tables.rows import Rows, as_rows
from onnxpress.tables.schema import Schema, as_schema


def load_trained(schema: Schema, trusted: Collection[str], threads: int = 1) -> Any:
    """The estimator that train has written, computing with ``threads``.

    Raises:
        UserError: the file is missing, was exchanged since, cannot be loaded, or does not fit the schema.
    """
    data = unexchanged(ORIGINAL_MODEL)
    return checked_original(load_original(ORIGINAL_MODEL, trusted, data), schema, threads)


def checked_original(estimator: Any, schema: Schema, threads: int = 1) -> Any:
    """The estimator, if it is one and was fitted to columns of the schema, computing with ``threads``.

    Raises:
        UserError: it is something else, or a model of other data.
    """
    again = f"run `dvc repro --force train` to make {ORIGINAL_MODEL} again"
    if not hasattr(estimator, "predict"):
        raise UserError(
            f"{ORIGINAL_MODEL} should hold an estimator, got {type(estimator).__name__}; {again}"
        )
    try:
        layout(estimator, schema, str(SCHEMA))
    except DoesNotFit as error:
        raise UserError(f"{ORIGINAL_MODEL} {error}; {again}") from error
    return set_threads(estimator, threads)


def read_onnx(path: Path, schema: Schema) -> bytes:
    """The bytes of an ONNX model that takes the columns of the schema, judged but not opened yet.

    Raises:
        UserError: the file is missing, is no ONNX model, or takes other inputs.
    """
    data = read_bytes(path)
    try:
        graph = checked_onnx(data, str(path)).graph
    except UserError as error:
        raise UserError(f"{error}; run `dvc repro` to make it again") from error
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    shapes = {
        value.name: [size.dim_value for size in value.type.tensor_type.shape.dim]
        for value in inputs
    }
    came = {name: shape[1] if len(shape) == 2 else shape for name, shape in shapes.items()}
    single = {NUMERIC_INPUT: len(schema.columns)}
    expected = (
        single if schema.all_numeric else {input_name(column.name): 1 for column in schema.columns}
    )
    if came != expected:
        raise UserError(
            f"{path} takes the inputs {came}, {SCHEMA} has {expected}; run `dvc repro` to make it again"
        )
    return data


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


def read_rows(path: Path, schema: Schema) -> Rows:
    """Read a Parquet file that the prepare stage has written.

    Raises:
        UserError: the file is missing, is not Parquet, or lacks a column of the schema.
    """
    import pyarrow as pa  # 0.2 s that stages without rows need not pay
    from pyarrow import parquet

    try:
        data = pa.BufferReader(read_bytes(path))  # bytes: what C++ opens, no audit hook sees
        table = parquet.ParquetFile(data, pre_buffer=False).read(
            use_threads=False
        )  # threads may abort a process that ends
        values = {column.name: table[column.name].to_numpy() for column in schema.columns}
        target = table[schema.target].to_numpy()
    except (OSError, pa.ArrowException, KeyError) as error:
        raise UserError(
            f"{path} is not what the prepare stage writes ({error}); run `dvc repro --force prepare`"
        ) from error
    target = target.astype(str) if target.dtype == object else target
    return as_rows(values, target, schema)


def read_predictions() -> dict[str, NDArray[np.str_]]:
    """The columns of outputs/predictions.csv by name, each (rows,): ``target`` and the answer of every model, as text.

    Raises:
        UserError: the file is missing or is not what the evaluate stage writes.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(read_bytes(PREDICTIONS).decode())))
        columns = {
            name: np.array([text_of_cell(row[name] or "") for row in rows], np.str_)
            for name in ("target", *MODELS)
        }
    except (KeyError, ValueError, csv.Error) as error:
        again = "run `dvc repro --force evaluate`"
        raise UserError(
            f"{PREDICTIONS} is not what the evaluate stage writes ({error!r}); {again}"
        ) from error
    if not rows:
        raise UserError(f"{PREDICTIONS} holds no row; run `dvc repro --force evaluate`")
    return columns
