"""Constant matrices in fewer bits, behind operators that a runtime computes once, at load.

onnxruntime keeps a DequantizeLinear of a constant in the graph and computes it in every call. A
Cast and a Mul of a constant it folds. So a stored matrix is small in the file and float32 while it
is used, and the speed stays the same.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from onnxpress.graph.writer import GraphWriter, names_of, opset_of
from onnxpress.quantize.candidates import NotApplicable

Matrix = NDArray[np.float32]

WriteMatrix = Callable[[Matrix, str, GraphWriter], str]
"""Writes a matrix as initializers whose names start with the given one.

Returns the name of the float32 value that operators compute from them.
"""

Writing = dict[str, WriteMatrix]
"""How matrices are written, by how their names start."""

STEPS = 255
HALF_MAX = float(np.finfo(np.float16).max)


def holds(model: onnx.ModelProto, prefixes: tuple[str, ...]) -> bool:
    """Whether ``model`` has an initializer whose name starts with one of ``prefixes``."""
    return any(tensor.name.startswith(prefixes) for tensor in model.graph.initializer)


def store_prefixed(model: onnx.ModelProto, writing: Writing) -> onnx.ModelProto:
    """A copy of ``model`` with its matrices stored as ``writing`` says.

    Raises:
        NotApplicable: there is no such matrix, or its values do not fit its form.
    """

    def writer_of(name: str) -> WriteMatrix | None:
        found = (write for prefix, write in writing.items() if name.startswith(prefix))
        return next(found, None)

    return store(model, writer_of)


def store(
    model: onnx.ModelProto, writer_of: Callable[[str], WriteMatrix | None]
) -> onnx.ModelProto:
    """A copy of ``model`` with each matrix of floats stored as ``writer_of`` its name does.

    Those for which it returns None stay as they are.

    Raises:
        NotApplicable: there is no such matrix, or its values do not fit its form.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    del graph.node[:], graph.initializer[:]
    writer = GraphWriter(graph, opset_of(model), names_of(model))
    replaced: dict[str, str] = {}
    for tensor in model.graph.initializer:
        write = writer_of(tensor.name)
        if write is None or tensor.data_type not in (TensorProto.FLOAT, TensorProto.DOUBLE):
            graph.initializer.append(tensor)
            continue
        value = write(numpy_helper.to_array(tensor).astype(np.float32), tensor.name, writer)
        if tensor.data_type == TensorProto.DOUBLE:
            value = writer.add("Cast", value, to=TensorProto.DOUBLE)
        replaced[tensor.name] = value
    if not replaced:
        raise NotApplicable("the graph has no float32 matrix to store in fewer bits")
    for node in model.graph.node:
        copy = writer.copy(node)
        copy.input[:] = [replaced.get(name, name) for name in node.input]
    return result


def rows_int8(matrix: Matrix, name: str, writer: GraphWriter) -> str:
    """Whole numbers of one byte exactly, all others in 256 steps of their column.

    The steps of a column go from its least to its greatest value.
    """
    if (matrix == np.round(matrix)).all() and (_fits(matrix, np.uint8) or _fits(matrix, np.int8)):
        return writer.whole(matrix.astype(np.int64), name=name)
    low = matrix.min(axis=0)
    step = _not_zero((matrix.max(axis=0) - low) / STEPS)
    number = writer.whole(np.round((matrix - low) / step).astype(np.int64), name=name)
    return writer.add("Add", writer.add("Mul", number, writer.constant(step)), writer.constant(low))


def weights_int8(matrix: Matrix, name: str, writer: GraphWriter) -> str:
    """255 steps around zero, by the greatest magnitude of each row."""
    return _around_zero(matrix, name, writer, axis=1)


def outputs_int8(weights: Matrix, name: str, writer: GraphWriter) -> str:
    """255 steps around zero, by the greatest magnitude of each output of a layer.

    Outputs are the columns of a matrix, and the first axis of the weights of a convolution.
    """
    axis = 0 if weights.ndim == 2 else tuple(range(1, weights.ndim))
    return _around_zero(weights, name, writer, axis=axis)


def _around_zero(
    matrix: Matrix, name: str, writer: GraphWriter, *, axis: int | tuple[int, ...]
) -> str:
    step = _not_zero(np.abs(matrix).max(axis=axis, keepdims=True) * 2 / (STEPS - 1))
    number = writer.whole(np.round(matrix / step).astype(np.int64), name=name)
    return writer.add("Mul", number, writer.constant(step))


def half(matrix: Matrix, name: str, writer: GraphWriter) -> str:
    """Float16.

    Raises:
        NotApplicable: a value is beyond its range.
    """
    if np.abs(matrix).max() > HALF_MAX:
        raise NotApplicable("float16 cannot hold its values")
    stored = writer.constant(matrix.astype(np.float16), name)
    return writer.add("Cast", stored, to=TensorProto.FLOAT)


def _fits(matrix: Matrix, kind: type[np.integer]) -> bool:
    return bool(matrix.min() >= np.iinfo(kind).min and matrix.max() <= np.iinfo(kind).max)


def _not_zero(step: Matrix) -> Matrix:
    return np.where(step > 0, step, 1).astype(np.float32)
