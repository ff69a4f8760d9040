"""The sum over the trees of an oblivious forest as operators of ai.onnx.

Rows are the last axis while trees are compared and summed: every operator then works on long
contiguous stretches.

    features (rows, f) -> Transpose -> Gather (depth, trees, rows) -> Less thresholds
    -> Cast and Flatten: answers, 0 or 1 (depth, trees * rows)
    -> product with (1, 2, 4, ...): numbers of the leaves -> Reshape (trees, rows)

The features of a wide table are picked from its rows as they are. Where many questions are alike,
each is asked once, and another Gather puts the answers in their places. Then the leaf table is
read:

    one column: GatherElements with leaves (trees, rows) -> product with the scale for each tree
    few columns: GatherElements with leaves (columns, trees, rows) -> sum over trees
    more columns: Add first leaf of the tree -> Gather (trees, rows, columns) -> sum over trees

These operators are the fastest in onnxruntime. Slow ones (measured, 1.31) are ReduceSum of
integers, Where, and a Gather that moves single numbers.

The leaf table is int8, cast and scaled by operators with constant inputs, which a runtime computes
once, when it loads the model (onnxruntime does not do so for DequantizeLinear). Scales are so short
that float32 holds each sum exactly: a row gets the same one in every batch.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from onnxpress.graph.writer import GraphWriter
from onnxpress.quantize.forest.refined.oblivious import ObliviousForest, Questions
from onnxpress.quantize.forest.refined.subgraphs import Subgraphs

Scale = NDArray[np.float32]
"""The scale of each column, (columns,)."""

_INTEGER_PRODUCT = 10  # the opset of MatMulInteger
_ELEMENTS = 11  # the opset of GatherElements

_BITS = 8
"""Deeper trees have leaf numbers that products of 8-bit integers cannot give."""

FEW_COLUMNS = 4
"""Up to so many columns, element by element is the faster way to read the leaf table."""

_QUESTION_BYTES = 5  # a float32 threshold and a feature number
_PLACES_BYTES = 60  # the operators that put answers in their places
_BYTE = 256

_WIDE = 100  # columns


def sum_of_leaves(
    writer: GraphWriter,
    parts: Subgraphs,
    forest: ObliviousForest,
    scale: Scale,
    *,
    offset: NDArray[np.float32] | None = None,
    output: str = "",
) -> str:
    """The sums over all trees, float32 (rows, columns of ``scale``).

    With an ``offset`` (columns,), it is added, and the sums are called ``output``.
    """
    answers = _answers(writer, parts, forest.questions)
    columns = forest.table.shape[-1]
    if columns > FEW_COLUMNS or writer.opset < _ELEMENTS:
        sums = _sum_of_rows(writer, answers, forest, scale)
    elif columns > 1:
        sums = _sum_of_columns(writer, answers, forest, scale)
    else:
        factors = _factors_of_sum(writer, answers, forest, scale)
        if offset is not None and forest.adds_up_exactly():
            factors.append(writer.constant(offset))
            return writer.add("Gemm", *factors, output=output, transA=1)
        sums = writer.add("Gemm", *factors, transA=1)
    if offset is None:
        return sums
    return writer.add("Add", sums, writer.constant(offset), output=output)


def is_wide(columns: int, questions: int) -> bool:
    """Whether picking features from rows as they are takes less time than to transpose them all."""
    return columns > questions + _WIDE


def _answers(writer: GraphWriter, parts: Subgraphs, questions: Questions) -> str:
    """The answers to all questions, 0 or 1 (depth, trees * rows)."""
    features, thresholds = questions.feature.T, questions.threshold.T
    kind = TensorProto.UINT8 if _has_integer_product(writer, len(features)) else TensorProto.FLOAT
    asked, place = distinct(features, thresholds)
    repeated = _is_shorter(len(asked), features.size)
    if repeated:
        features, thresholds = features.ravel()[asked], thresholds.ravel()[asked]
    if is_wide(parts.columns, features.size):
        numbers = writer.whole(features.ravel(), TensorProto.INT64)
        values = writer.add_ml("ArrayFeatureExtractor", parts.features, numbers)
        answers = writer.add("Less", values, writer.constant(thresholds.ravel()))
        answers = writer.add("Transpose", writer.add("Cast", answers, to=kind))
        if not repeated:
            return _reshaped(writer, answers, len(features))
    else:
        columns = writer.add("Transpose", parts.features)
        values = writer.add("Gather", columns, writer.whole(features, TensorProto.INT32))
        answers = writer.add("Less", values, writer.constant(thresholds[..., None]))
        answers = writer.add("Cast", answers, to=kind)
    if repeated:
        answers = writer.add("Gather", answers, writer.whole(place, TensorProto.INT32))
    return writer.add("Flatten", answers)


def distinct(
    features: NDArray[np.int64], thresholds: NDArray[np.float32]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where each distinct question stands first, (distinct,), and which of these each one is.

    Both arguments, and the second result, are (depth, trees). Two levels of two trees ask three
    questions, of which the last is the first again:

    >>> features, thresholds = np.array([[0, 1], [2, 0]]), np.float32([[5, 5], [7, 5]])
    >>> first, place = distinct(features, thresholds)
    >>> first.tolist(), place.tolist()
    ([0, 1, 2], [[0, 1], [2, 0]])
    """
    keys = features.ravel() << 32 | thresholds.ravel().view(np.uint32)
    _, first, place = np.unique(keys, return_index=True, return_inverse=True)
    return first, place.reshape(features.shape)


def _is_shorter(asked: int, questions: int) -> bool:
    """Whether it takes fewer bytes to ask no question twice, and to say which answer is whose."""
    number = 1 if asked <= _BYTE else 2
    return (
        asked * _QUESTION_BYTES + questions * number + _PLACES_BYTES < questions * _QUESTION_BYTES
    )


def _has_integer_product(writer: GraphWriter, depth: int) -> bool:
    return writer.opset >= _INTEGER_PRODUCT and depth <= _BITS


def _reshaped(writer: GraphWriter, values: str, *dimensions: int) -> str:
    """``values`` as ``dimensions`` and what is left."""
    return writer.add("Reshape", values, writer.constant(np.array([*dimensions, -1], np.int64)))


def _leaves(writer: GraphWriter, answers: str, depth: int, *dimensions: int) -> str:
    """The number of the leaf in its tree, int32 (``dimensions``, rows).

    The last of ``dimensions`` is the number of trees; along the others all are alike.
    """
    bits = np.tile(1 << np.arange(depth), (math.prod(dimensions[:-1]), 1))
    if _has_integer_product(writer, depth):
        leaves = writer.add("MatMulInteger", writer.constant(bits.astype(np.uint8)), answers)
    else:
        leaves = writer.add("MatMul", writer.constant(bits.astype(np.float32)), answers)
        leaves = writer.add("Cast", leaves, to=TensorProto.INT32)
    return _reshaped(writer, leaves, *dimensions)


def _sum_of_rows(writer: GraphWriter, answers: str, forest: ObliviousForest, scale: Scale) -> str:
    """The sum of rows of the leaf table, a gathered row for each tree.

    The table is stored with the columns first: OpenVINO (2026.4) takes a scale for each column
    right before a Gather for one for each row, and reads beyond it.
    """
    trees, depth = forest.questions.feature.shape
    leaves = _leaves(writer, answers, depth, trees)
    first = writer.whole((np.arange(trees) << depth)[:, None], TensorProto.INT32)
    table = writer.whole(forest.table.reshape(trees << depth, -1).T)
    table = writer.add("Mul", table, writer.constant(scale[:, None]))
    table = writer.add("Transpose", table)
    values = writer.add("Gather", table, writer.add("Add", leaves, first))
    return writer.reduce("ReduceSum", values, 0, keepdims=False)


def _sum_of_columns(
    writer: GraphWriter, answers: str, forest: ObliviousForest, scale: Scale
) -> str:
    """The sum of leaf values, each column gathered by itself."""
    (trees, depth), columns = forest.questions.feature.shape, len(scale)
    leaves = _leaves(writer, answers, depth, columns, trees)
    table = writer.whole(forest.table.transpose(2, 0, 1))
    table = writer.add("Mul", table, writer.constant(scale[:, None, None]))
    values = writer.add("GatherElements", table, leaves, axis=2)
    sums = writer.reduce("ReduceSum", values, 1, keepdims=False)
    return writer.add("Transpose", sums)


def _factors_of_sum(
    writer: GraphWriter, answers: str, forest: ObliviousForest, scale: Scale
) -> list[str]:
    """Two factors: leaf values (trees, rows), and each of ``scale`` for each tree.

    The transpose of the first, times the second, is the sum of the only column.
    """
    trees, depth = forest.questions.feature.shape
    leaves = _leaves(writer, answers, depth, trees)
    table = writer.whole(forest.table[:, :, 0])
    values = writer.add("GatherElements", table, leaves, axis=1)
    shape = writer.constant(np.array([trees, len(scale)], np.int64))
    return [values, writer.add("Expand", writer.constant(scale), shape)]
