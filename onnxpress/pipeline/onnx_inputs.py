"""The ONNX models that earlier stages wrote, checked before a stage uses them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx

from onnxpress.errors import UserError
from onnxpress.pipeline.files import AGAIN, read_bytes
from onnxpress.pipeline.outputs import SCHEMA
from onnxpress.runtime.checked import checked_onnx
from onnxpress.tables.names import NUMERIC_INPUT, input_name
from onnxpress.tables.schema import Schema


def read_onnx(path: Path, schema: Schema) -> bytes:
    """Return the bytes of an ONNX model that takes the columns of the schema.

    The model is checked, but not opened in onnxruntime yet.

    Raises:
        UserError: the file is missing, is not an ONNX model, or takes other inputs.
    """
    data = read_bytes(path)
    try:
        graph = checked_onnx(data, str(path)).graph
    except UserError as error:
        raise UserError(f"{error}; {AGAIN}") from error
    came, expected = _inputs_of(graph), _inputs_for(schema)
    if came != expected:
        raise UserError(f"{path} takes the inputs {came}, {SCHEMA} has {expected}; {AGAIN}")
    return data


def _inputs_of(graph: onnx.GraphProto) -> dict[str, Any]:
    """Return the number of columns of each input, or its shape if it is not a table.

    The shape of tensors is without the rows.
    """
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    shapes = {
        value.name: [size.dim_value for size in value.type.tensor_type.shape.dim]
        for value in inputs
    }
    return {name: shape[1] if len(shape) == 2 else shape[1:] for name, shape in shapes.items()}


def _inputs_for(schema: Schema) -> dict[str, Any]:
    """Return the number of columns of each input that a model of the schema has."""
    if schema.all_numeric:
        return {NUMERIC_INPUT: len(schema.columns)}
    widths = {}
    for column in schema.columns:
        shape = list(column.shape) or [1]
        widths[input_name(column.name)] = shape[0] if len(shape) == 1 else shape
    return widths
