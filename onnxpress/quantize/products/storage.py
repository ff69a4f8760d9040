"""Constant matrices in fewer bits, behind operators that a runtime computes once, when it loads the model.

onnxruntime keeps a DequantizeLinear of a constant in the graph and computes it in every call; a Cast and a Mul of a
constant it folds. So a stored matrix is small in the file and float32 while it is used: the speed stays what it was.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from onnxpress.graph.writer import GraphWriter, names_of
from onnxpress.quantize.candidates import NotApplicable

Matrix = NDArray[np.float32]
Form = Callable[[Matrix, str, GraphWriter], str]
"""Writes a matrix in some form, as initializers whose names start with the given one; returns the float32 value's name."""

STEPS = 255
HALF_MAX = float(np.finfo(np.float16).max)


def store(model: onnx.ModelProto, form_of: Callable[[str], Form | None]) -> onnx.ModelProto:
    """A copy of ``model`` with each matrix of floats written in the form that ``form_of`` gives its name, or left alone.

    Raises:
        NotApplicable: there is no such matrix, or its values do not fit its form.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    del graph.node[:], graph.initializer[:]
    opset = max(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    writer = GraphWriter(graph, opset, names_of(model))
    replaced: dict[str, str] = {}
    for tensor in model.graph.initializer:
        form = form_of(tensor.name)
        if form is None or tensor.data_type not in (TensorProto.FLOAT, TensorProto.DOUBLE):
            graph.initializer.append(tensor)
            continue
        stored = form(numpy_helper.to_array(tensor).astype(np.float32), tensor.name, writer)
        double = tensor.data_type == TensorProto.DOUBLE
        replaced[tensor.name] = (
            writer.add("Cast", stored, to=TensorProto.DOUBLE) if double else stored
        )
    if not replaced:
        raise NotApplicable("the graph has no float32 matrix to store in fewer bits")
    for node in model.graph.node:
        copy = graph.node.add()
        copy.CopyFrom(node)
        copy.input[:] = [replaced.get(name, name) for name in node.input]
    return result


def rows_int8(matrix: Matrix, name: str, writer: GraphWriter) -> str:
    """Exactly where all are whole numbers of one byte, else in 256 steps from each column's least to its greatest value."""
    if (matrix == np.round(matrix)).all() and (_fits(matrix, np.uint8) or _fits(matrix, np.int8)):
        return writer.whole(matrix.astype(np.int64), name=name)
    low = matrix.min(axis=0)
    step = _not_zero((matrix.max(axis=0) - low) / STEPS)
    number = writer.whole(np.round((matrix - low) / step).astype(np.int64), name=name)
    return writer.add("Add", writer.add("Mul", number, writer.constant(step)), writer.constant(low))


def weights_int8(matrix: Matrix, name: str, writer: GraphWriter) -> str:
    """255 steps around zero, by the greatest magnitude of each row."""
    step = _not_zero(np.abs(matrix).max(axis=1, keepdims=True) * 2 / (STEPS - 1))
    return writer.add(
        "Mul",
        writer.whole(np.round(matrix / step).astype(np.int64), name=name),
        writer.constant(step),
    )


def columns_int8(matrix: Matrix, name: str, writer: GraphWriter) -> str:
    """255 steps around zero, by the greatest magnitude of each column: an output of a layer has a scale of its own."""
    step = _not_zero(np.abs(matrix).max(axis=0, keepdims=True) * 2 / (STEPS - 1))
    return writer.add(
        "Mul",
        writer.whole(np.round(matrix / step).astype(np.int64), name=name),
        writer.constant(step),
    )


def half(matrix: Matrix, name: str, writer: GraphWriter) -> str:
    """Float16. Raises NotApplicable for values beyond its range."""
    if np.abs(matrix).max() > HALF_MAX:
        raise NotApplicable("float16 cannot hold its values")
    return writer.add(
        "Cast", writer.constant(matrix.astype(np.float16), name), to=TensorProto.FLOAT
    )


def _fits(matrix: Matrix, kind: type[np.integer]) -> bool:
    return bool(matrix.min() >= np.iinfo(kind).min and matrix.max() <= np.iinfo(kind).max)


def _not_zero(step: Matrix) -> Matrix:
    return np.where(step > 0, step, 1).astype(np.float32)
