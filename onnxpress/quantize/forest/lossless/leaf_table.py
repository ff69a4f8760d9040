"""Leaf tables: leaves that add to several targets, in an operator whose leaves add to one.

Every tree writes the number of its leaf's row to a target of its own (exact in float32 up to 2^24); the rows themselves
are a tensor, stored in the smallest form that gives back the same floats.
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
    """Distinct leaf rows (rows, n_targets), those of a tree next to each other, and the row of each leaf (leaves,)."""
    if forest.n_leaves > EXACT_IN_FLOAT32:
        raise Untreatable(
            f"{forest.n_leaves} different leaves; a leaf table counts to {EXACT_IN_FLOAT32}"
        )
    order = np.argsort(forest.tree_of_leaf, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return forest.leaf_values[order], rank.astype(np.int32)


def numbered(forest: Forest, row: NDArray[np.int32]) -> Forest:
    """Each tree adds the row number of its leaf to its own target; a leaf that trees share is copied for each."""
    children = [forest.true_child, forest.false_child, forest.roots]
    owners = [forest.tree_of_split, forest.tree_of_split, np.arange(forest.n_trees, dtype=np.int32)]
    at = [np.flatnonzero(child < 0) for child in children]
    tree = np.concatenate([owner[index] for owner, index in zip(owners, at, strict=True)])
    leaf = np.concatenate([~child[index] for child, index in zip(children, at, strict=True)])
    keys, number = np.unique(tree.astype(np.int64) * len(row) + row[leaf], return_inverse=True)
    uses = np.argsort(-np.bincount(number), kind="stable")
    rank = np.empty_like(uses)
    rank[uses] = np.arange(len(uses))
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
    """The name of a tensor equal to ``rows`` (rows, n_targets), in the smallest form that gives back the same floats.

    Few distinct values are a palette under uint8 or uint16 codes; int8 steps of one width need the width alone. Both
    are computed from constants, so that runtimes fold them when the model is loaded.
    """
    float_type = helper.np_dtype_to_tensor_dtype(rows.dtype)
    steps = _int8_steps(rows)
    if steps is not None:
        codes = writer.add("Cast", writer.constant(steps[0]), to=float_type)
        return writer.add("Mul", codes, writer.constant(steps[1]))
    palette, code = np.unique(rows, return_inverse=True)
    for dtype in (np.uint8, np.uint16):
        if (
            len(palette) <= np.iinfo(dtype).max + 1
            and rows.size * np.dtype(dtype).itemsize + palette.nbytes < rows.nbytes
        ):
            stored = writer.constant(code.reshape(rows.shape).astype(dtype))
            codes = writer.add("Cast", stored, to=TensorProto.INT32)
            return writer.add("Gather", writer.constant(palette), codes, axis=0)
    return writer.constant(rows)


def _int8_steps(rows: Floats) -> tuple[NDArray[np.int8], Floats] | None:
    """(codes, width) with ``codes * width == rows`` exactly, for codes from -127 to 127; None if there is none."""
    width = (np.abs(rows).max() / INT8_MAX).astype(rows.dtype)
    if not width:
        return None
    codes = np.rint(rows / width)
    exact = np.abs(codes).max() <= INT8_MAX and np.array_equal(
        codes.astype(rows.dtype) * width, rows
    )
    return (codes.astype(np.int8), np.array(width)) if exact else None


def reduced_axes(op_type: str, writer: GraphWriter) -> Step:
    """The step that reduces the first axis away."""
    if writer.opset >= OPSET_OF_AXES_INPUT[op_type]:
        return op_type, [writer.constant(np.array([0]))], {"keepdims": 0}
    return op_type, [], {"keepdims": 0, "axes": [0]}
