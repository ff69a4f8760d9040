"""Operators that compute numbers of a row from its others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxpress.bodies import oblivious
from onnxpress.bodies.oblivious import Looked, Numbered, Unlike
from onnxpress.bodies.reader import ROWS_BY_COLUMNS, Chosen, Handler, Read, Reader, attribute
from onnxpress.bodies.steps import (
    Activation,
    Arithmetic,
    Filled,
    Floats,
    Quotient,
    Shares,
    Softmax,
    Total,
    Value,
)
from onnxpress.bodies.trees import (
    TableRows,
    sum_of_rows,
)


def _arithmetic(operator: str) -> Callable[[Reader, onnx.NodeProto], Read]:
    def handler(reader: Reader, node: onnx.NodeProto) -> Read:
        left, right = node.input[:2]
        if operator == "/" and not {left, right} & reader.constants.keys():
            return _quotient(reader, left, right)
        swapped = left in reader.constants
        value = reader.value(right if swapped else left)
        constant = reader.constant(left if swapped else right)
        if operator == "+" and isinstance(value.step, Numbered):
            return oblivious.moved(value, constant.astype(np.int64))
        return computed(reader, value, operator, constant, swapped=swapped)

    return handler


def _quotient(reader: Reader, left: str, right: str) -> Value:
    """Numbers over one number of the same row."""
    source, shape = reader.row(left)
    divisor, single = reader.row(right)
    if single != (1, 1) or len(shape) != ROWS_BY_COLUMNS:
        raise Unlike("it divides by more than one number of the row")
    step = Quotient(source.size, source, divisor)
    return Value(step, np.arange(source.size)[None, :])


def computed(
    reader: Reader, value: Value, operator: str, constant: NDArray[Any], *, swapped: bool = False
) -> Value:
    """``value operator constant``, if that has a row's shape."""
    place, wide = np.broadcast_arrays(value.place, constant)
    source = reader.whole(Value(value.step, place))
    numbers = finite(wide.astype(np.float32).ravel())
    step = Arithmetic(place.size, source, operator, numbers, swapped)
    return Value(step, np.arange(place.size).reshape(place.shape))


def finite(constant: Floats) -> Floats:
    """Return ``constant``, if all of it is finite."""
    if not np.isfinite(constant).all():
        raise Unlike("it has constants that are not finite")
    return constant


def _less(reader: Reader, node: onnx.NodeProto) -> Read:
    return oblivious.asked(reader.value(node.input[0]), reader.constant(node.input[1]))


def _clip(reader: Reader, node: onnx.NodeProto) -> Read:
    value = reader.value(node.input[0])
    least, most = (
        reader.constant(node.input[place])
        if len(node.input) > place and node.input[place]
        else None
        for place in (1, 2)
    )
    for operator, end in (("max", least), ("min", most)):
        value = value if end is None else computed(reader, value, operator, end)
    return value


def _scaler(reader: Reader, node: onnx.NodeProto) -> Read:
    value = reader.value(node.input[0])
    offset = np.array(attribute(node, "offset"), np.float32)
    value = computed(reader, value, "-", offset)
    return computed(reader, value, "*", np.array(attribute(node, "scale"), np.float32))


def _imputer(reader: Reader, node: onnx.NodeProto) -> Read:
    source, shape = reader.row(node.input[0])
    filling = np.array(attribute(node, "imputed_value_floats"), np.float32)
    constant = finite(np.broadcast_to(filling, shape).ravel().astype(np.float32))
    step = Filled(source.size, source, float(attribute(node, "replaced_value_float", 0)), constant)
    return Value(step, np.arange(step.size).reshape(shape))


def _activation(function: str) -> Callable[[Reader, onnx.NodeProto], Read]:
    def handler(reader: Reader, node: onnx.NodeProto) -> Read:
        source, shape = reader.row(node.input[0])
        step = Activation(source.size, source, function)
        return Value(step, np.arange(step.size).reshape(shape))

    return handler


def _softmax(reader: Reader, node: onnx.NodeProto) -> Read:
    source, shape = reader.row(node.input[0])
    if len(shape) != ROWS_BY_COLUMNS or attribute(node, "axis", 1) not in (1, -1):
        raise Unlike("it does not add up to 1 over the columns")
    return Value(Softmax(source.size, source), np.arange(source.size).reshape(shape))


def _normalizer(reader: Reader, node: onnx.NodeProto) -> Read:
    if attribute(node, "norm", b"MAX") != b"L1":
        raise Unlike("only the norm L1 is known")
    source, shape = reader.row(node.input[0])
    return Value(Shares(source.size, source), np.arange(source.size).reshape(shape))


def _argmax(reader: Reader, node: onnx.NodeProto) -> Read:
    source, shape = reader.row(node.input[0])
    if len(shape) != ROWS_BY_COLUMNS or attribute(node, "axis", 0) not in (1, -1):
        raise Unlike("it does not choose a column")
    if attribute(node, "select_last_index", 0):
        raise Unlike("it chooses the last of equal numbers")
    if isinstance(source, Softmax):  # its greatest number is that of its source
        source = source.source
    return Chosen(source)


def _sum(reader: Reader, node: onnx.NodeProto) -> Read:
    axes = attribute(node, "axes")
    axes = reader.constant(node.input[1]) if axes is None and len(node.input) > 1 else axes
    if axes is None or len(axes) != 1:
        raise Unlike("it adds up along several axes")
    value = reader.value(node.input[0])
    if not isinstance(value.step, Looked | TableRows):
        if value.place.ndim != ROWS_BY_COLUMNS or int(axes[0]) not in (1, -1):
            raise Unlike("it adds up other things than columns")
        return Value(Total(1, reader.whole(value)), np.zeros((1, 1), np.intp))
    if isinstance(value.step, TableRows):
        return sum_of_rows(value, int(axes[0]))
    found = oblivious.total(value, int(axes[0]))
    if attribute(node, "keepdims", 1):
        return Value(found.step, np.expand_dims(found.place, int(axes[0])))
    return found


NUMBERS: dict[str, Handler] = {
    "Add": _arithmetic("+"),
    "Sub": _arithmetic("-"),
    "Mul": _arithmetic("*"),
    "Div": _arithmetic("/"),
    "Max": _arithmetic("max"),
    "Min": _arithmetic("min"),
    "Clip": _clip,
    "Scaler": _scaler,
    "Imputer": _imputer,
    "Relu": _activation("relu"),
    "Sigmoid": _activation("logistic"),
    "Tanh": _activation("tanh"),
    "Softmax": _softmax,
    "Normalizer": _normalizer,
    "ArgMax": _argmax,
    "Less": _less,
    "ReduceSum": _sum,
}
"""How each of these operators is read."""
