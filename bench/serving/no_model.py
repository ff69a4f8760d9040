"""A graph with the inputs and outputs of a model that computes nothing."""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper


def without_model(model: bytes) -> bytes:
    """Return a classifier's graph whose answers are columns of its one numeric input.

    ``label`` (rows,) is the first column as a whole number, and ``probabilities`` (rows, classes)
    the first columns. So a server reads, checks and writes as much as for the model, and what it
    costs is serving alone.

    Raises:
        ValueError: there are fewer columns than classes.
    """
    parsed = onnx.load_from_string(model)
    (given,), (label, scores) = parsed.graph.input, parsed.graph.output
    columns, classes = (value.type.tensor_type.shape.dim[1].dim_value for value in (given, scores))
    if columns < classes:
        raise ValueError(f"{columns} columns cannot be {classes} probabilities")
    nodes = [
        helper.make_node("Gather", [given.name, "first"], ["column"], axis=1),
        helper.make_node("Cast", ["column"], [label.name], to=TensorProto.INT64),
        helper.make_node("Gather", [given.name, "some"], [scores.name], axis=1),
    ]
    constants = [
        helper.make_tensor("first", TensorProto.INT64, [], [0]),
        helper.make_tensor("some", TensorProto.INT64, [classes], range(classes)),
    ]
    graph = helper.make_graph(nodes, "no_model", [given], [label, scores], constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 12)], ir_version=7)
    onnx.checker.check_model(made, full_check=True)
    return bytes(made.SerializeToString())
