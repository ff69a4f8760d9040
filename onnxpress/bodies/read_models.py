"""Layers, linear models and trees."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxpress.bodies import oblivious
from onnxpress.bodies.constants import Constant
from onnxpress.bodies.oblivious import Unlike
from onnxpress.bodies.read_numbers import computed, finite
from onnxpress.bodies.reader import PARTS, ROWS_BY_COLUMNS, Chosen, Handler, Read, Reader, attribute
from onnxpress.bodies.steps import (
    Activation,
    Dense,
    Floats,
    Softmax,
    Value,
)
from onnxpress.bodies.trees import (
    classifier,
    raw_scores,
)
from onnxpress.graph.trees.reader import read


def _product(reader: Reader, node: onnx.NodeProto) -> Read:
    """Layers, and the numbers of leaves."""
    left, right = node.input[:2]
    if left in reader.constants and len(node.input) == 2:  # without zero points
        return oblivious.numbered(reader.constant(left), reader.value(right))
    if node.op_type == "MatMulInteger":
        raise Unlike("it multiplies rows in int8, with ranges that the row decides")
    return _dense(reader, left, reader.constants.get(right), None)


def _gemm(reader: Reader, node: onnx.NodeProto) -> Read:
    factors = attribute(node, "alpha", 1.0), attribute(node, "beta", 1.0)
    bias = reader.constant(node.input[2]) if len(node.input) > 2 and node.input[2] else None
    value, weights = reader.value(node.input[0]), reader.constants.get(node.input[1])
    if factors != (1.0, 1.0) or weights is None:
        raise Unlike("it has factors, or weights that are not constant")
    if attribute(node, "transA", 0):
        zero = np.zeros(1, np.float32)
        return oblivious.weighted(value, weights.values, zero if bias is None else bias)
    if attribute(node, "transB", 0):
        weights = _turned(weights)
    return _dense(reader, node.input[0], weights, bias)


def _turned(weights: Constant) -> Constant:
    if weights.step is None or weights.codes is None:
        return Constant(weights.values.T)
    steps = np.broadcast_to(weights.step, weights.codes.shape)
    return Constant(weights.values.T, weights.codes.T, steps.T)


def _dense(reader: Reader, name: str, weights: Constant | None, bias: NDArray[Any] | None) -> Value:
    source, shape = reader.row(name)
    if weights is None or weights.values.ndim != ROWS_BY_COLUMNS or shape[:-1] != (1,):
        raise Unlike("it is no product of a row and constant weights")
    matrix = finite(weights.values.astype(np.float32))
    size = matrix.shape[1]
    added = np.zeros(size, np.float32) if bias is None else np.broadcast_to(bias, (1, size))
    offset = finite(added.ravel().astype(np.float32))
    if ((matrix != 0).sum(axis=0) == 1).all() and (np.abs(matrix[matrix != 0]) == 1).all():
        return _selected(reader, Value(source, np.arange(source.size)[None, :]), matrix, offset)
    codes, steps = weights.codes, None
    if codes is not None and weights.step is not None:
        each = np.broadcast_to(weights.step, codes.shape)
        steps = each[0].astype(np.float32)
        if (each != each[:1]).any():
            codes = steps = None
    step = Dense(size, source, matrix, offset, codes, steps)
    return Value(step, np.arange(size)[None, :])


def _selected(reader: Reader, value: Value, matrix: Floats, offset: Floats) -> Value:
    """A product by a matrix with one number in each column, 1 or -1, which is exact.

    That is what stands behind trees: the scores themselves, [1 - s, s] or [-s, s].
    """
    taken = np.abs(matrix).argmax(axis=0)
    found = Value(value.step, value.place[:, taken])
    signs = matrix[taken, np.arange(len(taken))]
    if (signs < 0).any():
        found = computed(reader, found, "*", signs)
    return computed(reader, found, "+", offset) if offset.any() else found


def _linear(reader: Reader, node: onnx.NodeProto) -> tuple[Read, Read] | Read:
    """LinearClassifier and LinearRegressor of ai.onnx.ml 1."""
    flat = np.array(attribute(node, "coefficients"), np.float32)
    intercepts = attribute(node, "intercepts")
    scores = len(intercepts) if intercepts else int(attribute(node, "targets", 1))
    bias = None if intercepts is None else np.array(intercepts, np.float32)
    weights = Constant(flat.reshape(scores, -1).T)
    value = _dense(reader, node.input[0], weights, bias)
    post = attribute(node, "post_transform", b"NONE").decode()
    if node.op_type == "LinearRegressor":
        if post != "NONE":
            raise Unlike(f"post-transform {post}")
        return value
    labels = attribute(node, "classlabels_strings") or attribute(node, "classlabels_ints")
    if len(labels) != scores:
        raise Unlike("it derives a second class from a single score")
    texts = attribute(node, "classlabels_strings")
    classes = tuple(text.decode() for text in texts) if texts else np.array(labels, np.int64)
    step = reader.whole(value)
    value = Value(step, np.arange(step.size)[None, :])
    return Chosen(step, classes), finished(value, post)


def finished(value: Value, post: str) -> Value:
    """Scores after a post-transform.

    Raises:
        Unlike: it is SOFTMAX_ZERO or PROBIT.
    """
    step, size = value.step, value.step.size
    if post == "SOFTMAX":
        return Value(Softmax(size, step), value.place)
    if post == "LOGISTIC":
        return Value(Activation(size, step, "logistic"), value.place)
    if post != "NONE":
        raise Unlike(f"post-transform {post}")
    return value


def _trees(reader: Reader, node: onnx.NodeProto) -> tuple[Read, Read] | Read:
    value = reader.value(node.input[0])
    if value.place.ndim != ROWS_BY_COLUMNS or isinstance(value.step, PARTS):
        raise Unlike("it does not read a row")
    forest = read(node)
    if node.op_type != "TreeEnsembleClassifier":
        scores = raw_scores(value, forest)
        return Value(scores, np.arange(scores.size)[None, :])
    scores = classifier(value, forest)
    whole = Value(scores, np.arange(scores.size)[None, :])
    labels = forest.labels
    return Chosen(scores, labels), finished(whole, forest.post_transform)


MODELS: dict[str, Handler] = {
    "MatMul": _product,
    "MatMulInteger": _product,
    "Gemm": _gemm,
    "LinearClassifier": _linear,
    "LinearRegressor": _linear,
    "TreeEnsemble": _trees,
    "TreeEnsembleClassifier": _trees,
    "TreeEnsembleRegressor": _trees,
}
"""How each of these operators is read."""
