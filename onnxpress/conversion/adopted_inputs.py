"""Connect the inputs of a given ONNX model to those of the contract."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto

from onnxpress.conversion.contract import contract_inputs
from onnxpress.graph.names import rename
from onnxpress.graph.writer import GraphWriter, fed_inputs, names_of, opset_of
from onnxpress.tables.names import NUMERIC_INPUT, input_name
from onnxpress.tables.schema import Schema


def connect_inputs(model: onnx.ModelProto, columns: tuple[str, ...], schema: Schema) -> None:
    """Let the model take what the contract gives, in place.

    1. All-numeric data come as one float32 matrix ``X``. A model with an input for each of
       ``columns`` gets each by a Gather.
    2. Other data come as one float32 or string input for each column.
    3. An input of doubles gets a Cast.
    4. Tensors come as they are, a lone one under the name of its array.
    """
    graph = model.graph
    given = fed_inputs(graph)
    names = [input_name(column.name) for column in schema.columns]
    if schema.has_tensors:
        rename(graph, {given[0].name: names[0]} if len(given) == 1 else {})
        del graph.input[:]
        graph.input.extend(contract_inputs(schema, names))
        return
    split = schema.all_numeric and len(given) > 1
    head = onnx.GraphProto()
    writer = GraphWriter(head, opset_of(model), names_of(model) | {NUMERIC_INPUT, *columns})
    double = {value.name for value in given if _is_double(value)}  # before they are renamed
    inner = {}
    for value in given:
        if split or value.name in double:
            inner[value.name] = writer.name(f"{value.name}_given")
    if inner or not schema.all_numeric:
        rename(graph, inner)
    else:
        rename(graph, {given[0].name: NUMERIC_INPUT})
    for name, target in inner.items():
        source = NUMERIC_INPUT if schema.all_numeric else name
        if split:
            position = writer.constant(np.array([columns.index(name)], np.int64))
            column = "" if name in double else target
            source = writer.add("Gather", source, position, output=column, axis=1)
        if name in double:
            writer.add("Cast", source, output=target, to=TensorProto.DOUBLE)
    nodes = [*head.node, *graph.node]
    del graph.node[:], graph.input[:]
    graph.node.extend(nodes)
    graph.initializer.extend(head.initializer)
    graph.input.extend(contract_inputs(schema, names))


def _is_double(value: onnx.ValueInfoProto) -> bool:
    return bool(value.type.tensor_type.elem_type == TensorProto.DOUBLE)
