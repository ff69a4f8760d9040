"""Leaf tables: leaves that add to several targets, in an operator whose leaves add to one.

Every tree writes the number of its leaf's row to a target of its own, which is exact in float32 up
to 2^24. The rows themselves are a tensor, stored in the smallest form that gives back the same
floats.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper

from onnxpress.graph.trees.forest import Floats, Forest
from onnxpress.graph.trees.reader import Untreatable
from onnxpress.graph.writer import GraphWriter
from onnxpress.quantize.forest.lossless.site import Step

EXACT_IN_FLOAT32 = 1 << 24
INT8_MAX = 127
OPSET_OF_AXES_INPUT = {"ReduceSum": 13, "ReduceMin": 18, "ReduceMax": 18}  # an attribute before


def rows_by_tree(forest: Forest) -> tuple[Floats, NDArray[np.int32]]:
    """Leaf rows (rows, n_targets), those of a tree next to each other; the row of each leaf."""
    if forest.n_leaves > EXACT_IN_FLOAT32:
        count = f"a leaf table counts to {EXACT_IN_FLOAT32}"
        raise Untreatable(f"{forest.n_leaves} different leaves; {count}")
    order, rank = grouped(forest.tree_of_leaf)
    return forest.leaf_values[order], rank.astype(np.int32)


def grouped(keys: NDArray[np.signedinteger]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The order that sorts ``keys`` and keeps equal ones in place, and where each one goes.

    Of three leaves the second belongs to tree 0, the others to tree 1:

    >>> order, rank = grouped(np.int32([1, 0, 1]))
    >>> order.tolist(), rank.tolist()
    ([1, 0, 2], [1, 0, 2])
    """
    order = np.argsort(keys, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return order, rank


def numbered(forest: Forest, row: NDArray[np.int32]) -> Forest:
    """Each tree adds the row number of its leaf to its own target.

    A leaf that trees share is copied for each: a new leaf is a pair of a tree and a row, written as
    one key, ``tree * rows + row``. With two trees and the rows [0, 1, 2] of three leaves,

        branches to leaves   tree 0: leaf 0, leaf 1   tree 1: leaf 1, leaf 2, leaf 1
        keys                         0       1                4       5       4
        new leaves           0 is key 4, used twice, then the keys 0, 1 and 5
    """
    children = [forest.true_child, forest.false_child, forest.roots]
    owners = [forest.tree_of_split, forest.tree_of_split, np.arange(forest.n_trees, dtype=np.int32)]
    at = [np.flatnonzero(child < 0) for child in children]
    tree = np.concatenate([owner[index] for owner, index in zip(owners, at, strict=True)])
    leaf = np.concatenate([~child[index] for child, index in zip(children, at, strict=True)])
    keys, number = np.unique(tree.astype(np.int64) * len(row) + row[leaf], return_inverse=True)
    uses, rank = grouped(-np.bincount(number))
    keys, number = keys[uses], rank[number]
    ends = np.cumsum([len(index) for index in at])
    renumbered = []
    for child, index, part in zip(children, at, np.split(number, ends[:-1]), strict=True):
        result = child.copy()
        result[index] = ~part.astype(np.int32)
        renumbered.append(result)
    return replace(
        forest,
        true_child=renumbered[0],
        false_child=renumbered[1],
        roots=renumbered[2],
        leaf_offset=np.arange(len(keys) + 1, dtype=np.int32),
        leaf_target=(keys // len(row)).astype(np.int32),
        leaf_weight=(keys % len(row)).astype(forest.leaf_weight.dtype),
        n_targets=forest.n_trees,
        aggregate="SUM",
    )


def smallest_form(rows: Floats, writer: GraphWriter) -> str:
    """The name of a tensor equal to ``rows`` (rows, n_targets), written in the smallest form.

    1. int8 steps of one width, or of one for each target, if they give back the same floats.
    2. A palette of the distinct values, under uint8 or uint16 codes, if that is smaller.
    3. The rows as they are.

    The first two are computed from constants, so that runtimes fold them at load.
    """
    float_type = helper.np_dtype_to_tensor_dtype(rows.dtype)
    steps = int8_steps(rows)
    if steps is not None:
        codes = writer.add("Cast", writer.constant(steps[0]), to=float_type)
        return writer.add("Mul", codes, writer.constant(steps[1]))
    palette, code = np.unique(rows, return_inverse=True)
    for dtype in (np.uint8, np.uint16):
        few = len(palette) <= np.iinfo(dtype).max + 1
        size = rows.size * np.dtype(dtype).itemsize + palette.nbytes
        if few and size < rows.nbytes:
            stored = writer.constant(code.reshape(rows.shape).astype(dtype))
            codes = writer.add("Cast", stored, to=TensorProto.INT32)
            return writer.add("Gather", writer.constant(palette), codes, axis=0)
    return writer.constant(rows)


def int8_steps(rows: Floats) -> tuple[NDArray[np.int8], Floats] | None:
    """``(codes, width)`` with ``codes * width == rows`` exactly; None if there is none.

    Codes are from -127 to 127. The width is one for all, else (targets,).

    >>> int8_steps(np.float32([[0.5], [-63.5], [0]]))
    (array([[   1],
           [-127],
           [   0]], dtype=int8), array(0.5, dtype=float32))
    >>> int8_steps(np.float32([[0.5, 127], [-63.5, 3]]))[1]
    array([0.5, 1. ], dtype=float32)
    """
    largest = np.abs(rows)
    for most in (largest.max(), largest.max(axis=0)):
        width = np.asarray(most / INT8_MAX, rows.dtype)
        if not width.all():
            return None
        codes = np.rint(rows / width)
        in_range = np.abs(codes).max() <= INT8_MAX
        if in_range and np.array_equal(codes.astype(rows.dtype) * width, rows):
            return codes.astype(np.int8), width
    return None


def reduced_axes(op_type: str, writer: GraphWriter) -> Step:
    """The step that reduces the first axis away."""
    if writer.opset >= OPSET_OF_AXES_INPUT[op_type]:
        return op_type, [writer.constant(np.array([0]))], {"keepdims": 0}
    return op_type, [], {"keepdims": 0, "axes": [0]}
