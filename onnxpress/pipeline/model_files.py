"""The models that earlier stages wrote, checked before a stage uses them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from onnxpress.errors import UserError
from onnxpress.estimators.layout import DoesNotFit, layout
from onnxpress.estimators.loading import load_original
from onnxpress.estimators.parts import set_threads
from onnxpress.pipeline.files import read_bytes
from onnxpress.pipeline.model_digest import read_unaltered
from onnxpress.pipeline.outputs import ORIGINAL_MODEL, SCHEMA
from onnxpress.runtime.checked import checked_onnx
from onnxpress.tables.names import NUMERIC_INPUT, input_name
from onnxpress.tables.schema import Schema


def load_trained(schema: Schema, trusted: Collection[str], threads: int = 1) -> Any:
    """The estimator that train has written, computing with ``threads``.

    Raises:
        UserError: the file is missing, was exchanged since, cannot be loaded, or does not fit the schema.
    """
    data = read_unaltered(ORIGINAL_MODEL)
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
