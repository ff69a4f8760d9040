"""Inputs of other types and shapes than the data have, made of its columns or tensors."""

from __future__ import annotations

from math import prod

import numpy as np
import onnx
from onnx import TensorProto, helper

from onnxpress.errors import UserError
from onnxpress.graph.names import rename
from onnxpress.graph.writer import GraphWriter, fed_inputs, names_of, opset_of
from onnxpress.tables.rows import Feeds
from onnxpress.tables.schema import Column, Schema

ROWS = "rows"
"""The name of the first dimension."""

WHOLE: dict[int, str] = {
    TensorProto.INT64: "int64",
    TensorProto.INT32: "int32",
    TensorProto.INT16: "int16",
    TensorProto.INT8: "int8",
    TensorProto.UINT8: "uint8",
    TensorProto.UINT16: "uint16",
    TensorProto.UINT32: "uint32",
    TensorProto.UINT64: "uint64",
}
"""Types of whole numbers, by numpy's names."""

FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16)

TABLE = 2
"""Dimensions of a table."""


def take_columns(model: onnx.ModelProto, schema: Schema) -> list[str]:
    """Let inputs of numbers take float32 columns, in place; return a line for each change.

    1. Whole numbers, booleans and float16 get a Cast.
    2. One input of more than two dimensions, such as images (rows, channels, height, width), gets a
       Reshape of the matrix of all columns, if it has as many values as there are columns.

    What fits already, and texts, stay.
    """
    if schema.has_tensors:
        return _take_tensors(model, schema)
    graph, lines = model.graph, []
    given = fed_inputs(graph)
    head = onnx.GraphProto()
    writer = GraphWriter(head, opset_of(model), names_of(model))
    whole = schema.all_numeric and len(given) == 1
    for value in given:
        kind = _kind(value)
        shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        tensor = len(shape) > TABLE and whole and prod(shape[1:]) == len(schema.columns)
        number = kind in WHOLE or kind in {TensorProto.FLOAT16, TensorProto.BOOL}
        if not (tensor or (number and len(shape) == TABLE)):
            continue
        name, width = value.name, prod(shape[1:]) or None
        inner = writer.name(f"{name}_inner")
        rename(graph, {name: inner})
        end = name
        if kind != TensorProto.FLOAT:
            end = writer.add("Cast", end, to=kind, output="" if tensor else inner)
            lines.append(f"takes {np.dtype(helper.tensor_dtype_to_np_dtype(kind))} for {name!r}")
        if tensor:
            places = writer.constant(np.array([-1, *shape[1:]], np.int64))
            writer.add("Reshape", end, places, output=inner)
            sizes = " x ".join(map(str, shape[1:]))
            lines.append(f"takes {sizes} numbers for {name!r}: the columns in their order")
        made = helper.make_tensor_value_info(name, TensorProto.FLOAT, [ROWS, width])
        value.CopyFrom(made)
    nodes = [*head.node, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.extend(head.initializer)
    return lines


def inputs_of(model: onnx.ModelProto, schema: Schema) -> list[tuple[onnx.ValueInfoProto, Column]]:
    """Return the inputs that take tensors, and which; a lone one takes it under any name."""
    given = fed_inputs(model.graph)
    if len(given) == len(schema.columns) == 1:
        return [(given[0], schema.columns[0])]
    columns = {column.name: column for column in schema.columns}
    return [(value, columns[value.name]) for value in given if value.name in columns]


def _take_tensors(model: onnx.ModelProto, schema: Schema) -> list[str]:
    """Let inputs take tensors of the types that the data have, in place; say what was cast."""
    graph, lines = model.graph, []
    head = onnx.GraphProto()
    writer = GraphWriter(head, opset_of(model), names_of(model))
    for value, column in inputs_of(model, schema):
        kind, wanted = _kind(value), helper.np_dtype_to_tensor_dtype(np.dtype(column.dtype))
        if kind == wanted or kind not in {*WHOLE, *FLOATS, TensorProto.BOOL}:
            continue
        name = value.name
        inner = writer.name(f"{name}_inner")
        rename(graph, {name: inner})
        writer.add("Cast", name, output=inner, to=kind)
        value.name, value.type.tensor_type.elem_type = name, wanted
        came = np.dtype(helper.tensor_dtype_to_np_dtype(kind))
        lines.append(f"takes {came} for {name!r}, and the data are {column.dtype}: cast")
    nodes = [*head.node, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return lines


def check_tensors(model: onnx.ModelProto, feeds: Feeds, schema: Schema, name: str) -> None:
    """See that inputs of other types than the tensors in ``feeds`` can hold their values.

    Floats that only round in a float type pass. ``model`` is as it was given.

    Raises:
        UserError: an input cannot hold a value.
    """
    for value, column in inputs_of(model, schema):
        kind, values = _kind(value), feeds[value.name]
        if kind in FLOATS and values.dtype.kind == "f":
            continue
        if kind not in {*WHOLE, *FLOATS, TensorProto.BOOL}:
            continue
        taken = np.dtype(helper.tensor_dtype_to_np_dtype(kind))
        with np.errstate(invalid="ignore", over="ignore"):
            wrong = values.astype(taken).astype(values.dtype) != values
        if wrong.any():
            place = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
            raise UserError(
                f"{name} takes {taken} numbers for {value.name!r}, and the array {column.name!r} "
                f"holds {values[place]:g} in row {place[0] + 1}; export the model with a "
                f"{column.dtype} input, or give numbers that it can hold"
            )


def check_whole_numbers(model: onnx.ModelProto, feeds: Feeds, schema: Schema, name: str) -> None:
    """See that inputs of whole numbers get such from ``feeds``, which has its rows by input.

    ``model`` is as it was given.

    Raises:
        UserError: a column holds fractions, missing cells, or what the type cannot hold.
    """
    if schema.has_tensors:
        check_tensors(model, feeds, schema, name)
        return
    whole = [value for value in fed_inputs(model.graph) if _kind(value) in WHOLE]
    for value in whole:
        columns = feeds.get(value.name)
        if columns is None or columns.dtype.kind != "f":
            continue
        limits = np.iinfo(WHOLE[_kind(value)])
        with np.errstate(invalid="ignore"):
            fits = (
                (columns == np.floor(columns)) & (columns >= limits.min) & (columns <= limits.max)
            )
        for place in np.flatnonzero(~fits.all(axis=0))[:1]:
            row = int(np.flatnonzero(~fits[:, place])[0])
            column = schema.columns[place].name if columns.shape[1] > 1 else value.name
            raise UserError(
                f"{name} takes {limits.dtype} numbers for {value.name!r}, and the column "
                f"{column!r} holds {columns[row, place]:g}; export the model with a float32 input, "
                "or give whole numbers"
            )


def _kind(value: onnx.ValueInfoProto) -> int:
    return int(value.type.tensor_type.elem_type)
