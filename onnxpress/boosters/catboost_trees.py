"""CatBoost's trees as arrays: symmetric ones, and those with steps from node to node."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.boosters.catboost_parts import CatBoostFile
from onnxpress.boosters.catboost_splits import Splits
from onnxpress.boosters.model import Unreadable
from onnxpress.graph.trees.arrays import TreeArrays

DEEPEST = 16
"""CatBoost grows symmetric trees up to this depth."""

Array = NDArray[Any]


def trees_of(file: CatBoostFile, splits: Splits) -> tuple[TreeArrays, ...]:
    """Return the trees of a file, each with a column of values for each output.

    Raises:
        Unreadable: splits, sizes and leaves do not fit together.
    """
    sizes = file.sizes.astype(np.int64)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]) if len(sizes) else sizes
    known = len(splits.column)
    whole = len(sizes) > 0 and bool((sizes >= 0).all()) and int(sizes.sum()) == len(file.splits)
    if not whole or not np.array_equal(starts, file.starts):
        raise Unreadable("is damaged: trees of other sizes than their splits")
    steps = len(file.steps) > 0
    if steps and not known:  # each tree is one leaf
        splits = Splits(np.zeros(1, np.int64), np.zeros(1), np.ones(1, bool), (), ())
        known = 1
    if len(file.splits) and not 0 <= int(file.splits.min()) <= int(file.splits.max()) < known:
        raise Unreadable("is damaged: trees with splits that the model does not have")
    if steps:
        return _with_steps(file, splits, starts.tolist(), sizes.tolist())
    return _symmetric(file, splits, starts.tolist(), sizes.tolist())


def _symmetric(
    file: CatBoostFile, splits: Splits, starts: list[int], sizes: list[int]
) -> tuple[TreeArrays, ...]:
    """Return trees that ask one split a level; leaf i is where split k is true if bit k of i is.

    The root asks the last split, so the leaves are in order. Of two splits a and b:

        row            0   1   2   3   4   5   6
        split          b   a   a
        left, right    1 2 3 4 5 6
        leaf                       0   1   2   3
    """
    if max(sizes) > DEEPEST:
        raise Unreadable(f"is damaged: a symmetric tree deeper than {DEEPEST}")
    leaves = [1 << size for size in sizes]
    whole = sum(leaves) * file.outputs == len(file.leaf_values)
    if not whole or file.weights not in (0, sum(leaves)) or len(file.leaf_of_node):
        raise Unreadable("is damaged: trees with other numbers of leaves than values")
    values = file.leaf_values.reshape(-1, file.outputs)
    trees, end = [], 0
    for start, size, count in zip(starts, sizes, leaves, strict=True):
        own = file.splits[start : start + size][::-1]
        asked = np.repeat(own, 1 << np.arange(size))
        trees.append(_heap(splits, asked, values[end : end + count]))
        end += count
    return tuple(trees)


def _heap(splits: Splits, asked: Array, values: Array) -> TreeArrays:
    """Return a full tree whose inner nodes ask the splits ``asked``, level by level."""
    inner, leaves = len(asked), len(values)
    none = np.zeros(leaves, np.int64)
    left = 1 + 2 * np.arange(inner)
    return TreeArrays(
        split=np.arange(inner + leaves) < inner,
        feature=np.concatenate([splits.column[asked], none]),
        threshold=np.concatenate([splits.threshold[asked], none]),
        left=np.concatenate([left, none]),
        right=np.concatenate([left + 1, none]),
        missing_left=np.concatenate([splits.missing_left[asked], none > 0]),
        value=np.concatenate([np.zeros((inner, values.shape[1])), values]),
    )


def _with_steps(
    file: CatBoostFile, splits: Splits, starts: list[int], sizes: list[int]
) -> tuple[TreeArrays, ...]:
    """Return trees whose nodes have the distances to their children; 0 ends at the node itself."""
    if len(file.steps) != len(file.splits) or len(file.leaf_of_node) != len(file.splits):
        raise Unreadable("is damaged: trees with other numbers of steps than nodes")
    if file.weights not in (0, len(file.leaf_values) // file.outputs):
        raise Unreadable("is damaged: leaves with other numbers of weights than values")
    return tuple(
        _stepped(file, splits, slice(start, start + size))
        for start, size in zip(starts, sizes, strict=True)
    )


def _stepped(file: CatBoostFile, splits: Splits, own: slice) -> TreeArrays:
    """Return one tree; a node that ends on one side only gets a leaf of its own for that side.

    Three nodes, of which the first steps by 1 to the left and ends on the right:

        steps   (1, 0) (0, 0)     rows   0: split, left 1, right 2;  1: leaf;  2: leaf of node 0
    """
    asked, leaf = file.splits[own], file.leaf_of_node[own].astype(np.int64)
    left, right = (file.steps[side][own].astype(np.int64) for side in ("left", "right"))
    nodes = len(asked)
    split = (left > 0) | (right > 0)
    at = np.arange(nodes)
    if nodes == 0 or bool((np.maximum(at + left, at + right) >= nodes).any()):
        raise Unreadable("is damaged: a tree that steps behind its end")
    ends = np.flatnonzero(split & ((left == 0) | (right == 0)))
    added = nodes + np.arange(len(ends))
    to_left, to_right = at + left, at + right
    to_left[ends] = np.where(left[ends] == 0, added, to_left[ends])
    to_right[ends] = np.where(right[ends] == 0, added, to_right[ends])
    valued = np.concatenate([np.flatnonzero(~split), added])
    of = np.concatenate([leaf[~split], leaf[ends]])
    beyond = of + file.outputs > len(file.leaf_values)
    if bool(beyond.any() or (of % file.outputs).any()):
        raise Unreadable("is damaged: a tree with leaves behind the last value")
    value = np.zeros((nodes + len(ends), file.outputs))
    value[valued] = file.leaf_values[of[:, None] + np.arange(file.outputs)]
    none = np.zeros(len(ends), np.int64)
    return TreeArrays(
        split=np.concatenate([split, none > 0]),
        feature=np.concatenate([splits.column[asked], none]),
        threshold=np.concatenate([splits.threshold[asked], none]),
        left=np.concatenate([to_left, none]),
        right=np.concatenate([to_right, none]),
        missing_left=np.concatenate([splits.missing_left[asked], none > 0]),
        value=value,
    )
