"""Gemm in the one form that the quantisers treat: constant weights (inputs, outputs)."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

from onnxpress.graph.writer import GraphWriter, names_of


def with_upright_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Copy ``model`` so that no Gemm transposes constant weights: they are stored transposed.

    1. Weights that several nodes read are stored once.
    2. Weights that nothing reads any more go.

    PyTorch writes a layer as ``Gemm(transB=1)``. A weight per output is then a row, and a form
    with a scale per column would scale inputs instead.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    writer = GraphWriter(result.graph, 0, names_of(model))
    upright: dict[str, str] = {}
    for node in result.graph.node:
        flag = next((item for item in node.attribute if item.name == "transB" and item.i), None)
        if node.op_type != "Gemm" or flag is None or node.input[1] not in constants:
            continue
        name = node.input[1]
        if name not in upright:
            turned = np.ascontiguousarray(numpy_helper.to_array(constants[name]).T)
            upright[name] = writer.constant(turned, name)
        node.input[1] = upright[name]
        node.attribute.remove(flag)
    _drop_unused(result.graph, set(upright))
    return result


def _drop_unused(graph: onnx.GraphProto, names: set[str]) -> None:
    """Take out the initializers of ``names`` that nothing reads any more, in place."""
    unread = names - {item.name for item in graph.output}
    for node in graph.node:
        if any(item.HasField("g") or item.graphs for item in node.attribute):
            return  # a subgraph may read them
        unread.difference_update(node.input)
    kept = [tensor for tensor in graph.initializer if tensor.name not in unread]
    if len(kept) < len(graph.initializer):
        del graph.initializer[:]
        graph.initializer.extend(kept)


def gemm_attribute(node: onnx.NodeProto, name: str, default: float) -> float:
    """Read an attribute of a Gemm: ``alpha``, ``beta``, ``transA`` or ``transB``."""
    values = (helper.get_attribute_value(item) for item in node.attribute if item.name == name)
    return float(next(values, default))
