"""A fixed number of rows, made any number."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from onnxpress.given.exports.inputs import ROWS
from onnxpress.graph.constants import as_initializers
from onnxpress.graph.writer import GraphWriter, fed_inputs, names_of, opset_of


def fixed_rows(model: onnx.ModelProto) -> int | None:
    """Return the number of rows that all inputs have fixed, or None if they have none, or differ.

    1, for instance, where an input has the shape [1, 64].
    """
    first = {
        value.type.tensor_type.shape.dim[0].dim_value
        for value in fed_inputs(model.graph)
        if value.type.tensor_type.shape.dim
    }
    return first.pop() or None if len(first) == 1 else None


def free_rows(model: onnx.ModelProto) -> int | None:
    """Let a model with a fixed number of rows take any number, in place; return the fixed one.

    Exporters store it in three places: in the shapes of inputs and outputs, in the shapes of values
    between, and in the targets of Reshapes, as in [1, 784] behind a convolution. There it becomes
    -1, or 0 (as many as before) beside a -1. Whether that was right, only running the model tells.
    """
    rows = fixed_rows(model)
    if rows is None:
        return None
    graph = model.graph
    for value in fed_inputs(graph):
        value.type.tensor_type.shape.dim[0].dim_param = ROWS
    for value in graph.output:
        shape = value.type.tensor_type.shape
        if shape.dim and shape.dim[0].dim_value == rows:
            shape.dim[0].dim_param = ROWS
        elif value.type.WhichOneof("value") == "tensor_type":
            value.type.tensor_type.ClearField("shape")
    del graph.value_info[:]
    as_initializers(graph)
    _free_reshapes(model, rows)
    return rows


def _free_reshapes(model: onnx.ModelProto, rows: int) -> None:
    """Take the number of rows out of the Reshapes of what depends on the inputs, in place."""
    graph = model.graph
    writer = GraphWriter(graph, opset_of(model), names_of(model))
    stored = {tensor.name: tensor for tensor in graph.initializer}
    fed = {value.name for value in fed_inputs(graph)}
    for node in graph.node:
        if not fed.intersection(node.input):
            continue
        fed.update(node.output)
        target = stored.get(node.input[1]) if node.op_type == "Reshape" else None
        if target is None or target.data_type != TensorProto.INT64:
            continue
        shape = numpy_helper.to_array(target)
        if shape.size and shape[0] == rows:
            freed = np.array([0 if -1 in shape else -1, *shape[1:]], np.int64)
            node.input[1] = writer.constant(freed)
            kept = [item for item in node.attribute if item.name != "allowzero"]
            del node.attribute[:]  # with allowzero a 0 is no "as many as before"
            node.attribute.extend(kept)
