"""Operators that only move numbers, look them up, or give labels their names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from onnxpress.bodies import oblivious
from onnxpress.bodies.oblivious import Asked, Numbered, Unlike
from onnxpress.bodies.reader import ROWS_BY_COLUMNS, Chosen, Handler, Read, Reader, attribute
from onnxpress.bodies.steps import (
    Joined,
    Trees,
    Value,
)
from onnxpress.bodies.trees import (
    RowNumbers,
    row_numbers,
    table_rows,
)


def _same(reader: Reader, node: onnx.NodeProto) -> Read:
    return reader.read(node.input[0])


def _cast(reader: Reader, node: onnx.NodeProto) -> Read:
    """Numbers stay float32; answers, numbers of leaves and labels are whole already."""
    found = reader.read(node.input[0])
    kinds = {TensorProto.FLOAT}
    if isinstance(found, Chosen):
        text = isinstance(found.classes, tuple)
        kinds = {TensorProto.STRING} if text else {TensorProto.INT64}
    elif isinstance(found.step, Trees) and attribute(node, "to") == TensorProto.INT32:
        return row_numbers(found)
    elif isinstance(found.step, Asked | Numbered):
        kinds |= {TensorProto.UINT8, TensorProto.INT32, TensorProto.INT64}
    if attribute(node, "to") not in kinds:
        raise Unlike(f"it changes the type to {TensorProto.DataType.Name(attribute(node, 'to'))}")
    return found


Move = Callable[[Reader, onnx.NodeProto, NDArray[np.intp]], NDArray[np.intp]]


def _moving(move: Move) -> Callable[[Reader, onnx.NodeProto], Read]:
    """What only moves numbers, from their places to the places in the output."""

    def handler(reader: Reader, node: onnx.NodeProto) -> Read:
        value = reader.value(node.input[0])
        return Value(value.step, move(reader, node, value.place))

    return handler


def _transpose(_reader: Reader, node: onnx.NodeProto, place: NDArray[np.intp]) -> Any:
    return np.transpose(place, attribute(node, "perm"))


def _flatten(_reader: Reader, node: onnx.NodeProto, place: NDArray[np.intp]) -> Any:
    axis = attribute(node, "axis", 1)
    axis += place.ndim if axis < 0 else 0
    return place.reshape(int(np.prod(place.shape[:axis])), -1)


def _reshape(reader: Reader, node: onnx.NodeProto, place: NDArray[np.intp]) -> Any:
    shape = reader.constant(node.input[1]).ravel()
    sizes = zip(shape.tolist(), [*place.shape, *[0] * len(shape)], strict=False)
    return place.reshape([old if new == 0 else new for new, old in sizes])


def _features(reader: Reader, node: onnx.NodeProto, place: NDArray[np.intp]) -> Any:
    return place[..., reader.constant(node.input[1]).ravel()]


def _array_features(reader: Reader, node: onnx.NodeProto) -> Read:
    """A selection of columns, or the labels of classes."""
    if node.input[0] in reader.constants:
        return _classes(reader, node)
    return _moving(_features)(reader, node)


def _classes(reader: Reader, node: onnx.NodeProto) -> Read:
    chosen = reader.values.get(node.input[1])
    if not isinstance(chosen, Chosen) or chosen.classes is not None:
        raise Unlike("it looks up what is not the number of a class")
    classes = reader.constant(node.input[0]).ravel()
    if classes.dtype.kind in "OUS":
        return Chosen(chosen.step, tuple(map(str, classes)))
    return Chosen(chosen.step, classes.astype(np.int64))


def _label(reader: Reader, node: onnx.NodeProto) -> Read:
    """A Reshape or a Cast of a label leaves it as it is."""
    if isinstance(reader.values.get(node.input[0]), Chosen):
        return reader.read(node.input[0])
    return _moving(_reshape)(reader, node)


def _gather(reader: Reader, node: onnx.NodeProto) -> Read:
    axis = attribute(node, "axis", 0)
    if node.input[0] not in reader.constants:
        value = reader.value(node.input[0])
        return Value(value.step, np.take(value.place, reader.constant(node.input[1]), axis))
    found = reader.values.get(node.input[1])
    if isinstance(found, Chosen):
        return _classes(reader, node)
    if axis != 0:
        raise Unlike("it reads a table along another axis than the first")
    table, value = reader.constants[node.input[0]], reader.value(node.input[1])
    if isinstance(value.step, RowNumbers):
        return table_rows(table.values, value)
    return oblivious.rows_of_table(table, value)


def _gather_elements(reader: Reader, node: onnx.NodeProto) -> Read:
    value = reader.value(node.input[1])
    if attribute(node, "axis", 0) not in (-1, value.place.ndim - 1):
        raise Unlike("it reads a table along another axis than the last")
    table = reader.constants.get(node.input[0])
    if table is None:
        raise Unlike("its table is not constant")
    return oblivious.elements_of_table(table, value)


def _concat(reader: Reader, node: onnx.NodeProto) -> Read:
    """Numbers side by side; they stay where they are if all are of one step."""
    parts = tuple(reader.value(name) for name in node.input)
    axis = attribute(node, "axis")
    if len({part.step for part in parts}) == 1:
        return Value(parts[0].step, np.concatenate([part.place for part in parts], axis))
    if axis not in (1, -1) or any(part.place.ndim != ROWS_BY_COLUMNS for part in parts):
        raise Unlike("it joins other things than columns")
    for part in parts:
        reader.whole(part)
    size = sum(part.place.size for part in parts)
    return Value(Joined(size, parts), np.arange(size)[None, :])


MOVES: dict[str, Handler] = {
    "Identity": _same,
    "Cast": _cast,
    "Transpose": _moving(_transpose),
    "Flatten": _moving(_flatten),
    "Reshape": _label,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "ArrayFeatureExtractor": _array_features,
    "Concat": _concat,
}
"""How each of these operators is read."""
