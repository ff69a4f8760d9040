"""One tree of an XGBoost document as arrays.

Node 0 splits at ``x < 0.5``, node 1 by categories (0 and 2 go right), the others are leaves:

    left_children       1    3   -1   -1   -1
    right_children      2    4   -1   -1   -1
    split_indices       6    7    0    0    0
    split_conditions    0.5  -    10   20   30     the leaves' values
    split_type          0    1    0    0    0
    categories_nodes 1, categories_segments 0, categories_sizes 2, categories 0 2

Leaves of several outputs have their values in ``leaf_weights``, at the row that right_children says
(XGBoost 3.2 and newer).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.boosters.model import LARGEST_CODE, Unsupported
from onnxpress.boosters.xgboost_document import Part
from onnxpress.graph.trees.arrays import TreeArrays

Array = NDArray[Any]


_KNOWN = """
base_weights categories categories_nodes categories_segments categories_sizes default_left id
leaf_weights left_children loss_changes parents right_children split_conditions split_indices
split_type sum_hessian tree_param
"""
KNOWN = frozenset(_KNOWN.split())
"""Parts of a tree."""


@dataclass(frozen=True)
class RawTree:
    """A tree, and the categories that go right at its category splits."""

    arrays: TreeArrays
    category_splits: dict[int, Array]
    """By row of the arrays: (categories,) int64, ascending."""


def read_tree(part: Part, output: int, outputs: int) -> RawTree:
    """Read one tree, whose leaves add to ``output``, or to all ``outputs`` if they are vectors.

    Raises:
        Unreadable: a part is missing, of another length, or leads out of the tree.
        Unsupported: its leaves are vectors in the form of XGBoost before 3.2.
    """
    part.only(KNOWN)
    params = part.part("tree_param")
    size, width = params.whole("num_nodes"), max(params.whole("size_leaf_vector", 1), 1)
    left = part.numbers("left_children", np.int64, size)
    right = part.numbers("right_children", np.int64, size)
    condition = part.numbers("split_conditions", np.float32, size)
    split, kept = _kept(part, left, right)
    _check_parents(part, left, split & kept)
    value = condition[:, None]
    if width > 1:
        value, output = _vectors(part, width, outputs, split, right), 0
    new = np.cumsum(kept) - 1
    arrays = TreeArrays(
        split=split[kept],
        feature=part.numbers("split_indices", np.int64, size)[kept],
        threshold=_below(condition)[kept],
        left=new[left[kept] * split[kept]],
        right=new[right[kept] * split[kept]],
        missing_left=part.numbers("default_left", bool, size)[kept],
        value=value[kept].astype(np.float64),
        first_id=output,
    )
    return RawTree(arrays, {int(new[row]): codes for row, codes in _categories(part, split)})


def _kept(part: Part, left: Array, right: Array) -> tuple[Array, Array]:
    """Return which nodes split and which the root leads to; pruned ones stay in the file.

    XGBoost goes to the node behind the left child where it goes right.
    """
    size = len(left)
    split = left >= 0
    if size == 0 or bool((left[split] + 1 != right[split]).any() or (right[split] >= size).any()):
        raise part.error("right_children", "the node behind each left child")
    kept = np.zeros(size, bool)
    inner = np.flatnonzero(split)
    if size == 1 + 2 * len(inner) and bool((left[inner] > inner).all()):
        kept[left[inner]] = kept[right[inner]] = kept[0] = True
        if kept.all():  # each node but the root is one child of a node before it
            return split, kept
        kept[:] = False
    level = np.zeros(1, np.int64)
    while len(level):
        if bool(kept[level].any()) or len(np.unique(level)) != len(level):
            raise part.error("left_children", "one parent for each node")
        kept[level] = True
        inner = level[split[level]]
        level = np.concatenate([left[inner], right[inner]])
    return split, kept


def _check_parents(part: Part, left: Array, inner: Array) -> None:
    """Raise Unreadable unless ``parents`` say the same, which XGBoost trusts."""
    size = len(left)
    parents = part.numbers("parents", np.int64, size)
    nodes = np.flatnonzero(inner)
    known = bool(((parents[1:] >= 0) & (parents[1:] < size)).all())
    first, second = parents[left[nodes]], parents[left[nodes] + 1]
    if not (known and np.array_equal(first, nodes) and np.array_equal(second, nodes)):
        raise part.error("parents", "the node above each child")


def _below(condition: Array) -> Array:
    """Return float64 thresholds so that ``x <= result`` is ``x < condition`` for each float32 x."""
    return np.nextafter(condition, np.float32(-np.inf)).astype(np.float64)


def _vectors(part: Part, width: int, outputs: int, split: Array, right: Array) -> Array:
    """Return the values (nodes, outputs) of leaves that are vectors."""
    if "leaf_weights" not in part:
        raise Unsupported(
            "has leaves of several outputs as XGBoost wrote them before 3.2; train it again with a "
            "newer version, or with multi_strategy one_output_per_tree"
        )
    if width != outputs:
        raise part.error("tree_param", f"leaves of {outputs} outputs, not {width}")
    rows = part.numbers("leaf_weights", np.float32)
    place = np.where(split, 0, right)
    if len(rows) % width or bool(((place < 0) | (place >= len(rows) // width)).any()):
        raise part.error("leaf_weights", "a row of values for each leaf")
    return rows.reshape(-1, width)[place]


def _categories(part: Part, split: Array) -> Iterator[tuple[int, Array]]:
    """Yield the row and the categories that go right of each category split."""
    if "split_type" not in part:  # XGBoost before 1.3, or no categories
        return
    kinds = part.numbers("split_type", np.int64, len(split))
    nodes = part.numbers("categories_nodes", np.int64)
    if bool((kinds > 1).any()) or not np.array_equal(np.flatnonzero(kinds * split), nodes):
        raise part.error("categories_nodes", "the nodes whose split_type is 1, in order")
    begins = part.numbers("categories_segments", np.int64, len(nodes))
    sizes = part.numbers("categories_sizes", np.int64, len(nodes))
    codes = part.numbers("categories", np.int64)
    if bool((begins < 0).any() or (sizes < 1).any() or (begins + sizes > len(codes)).any()):
        raise part.error("categories_segments", "places in categories")
    if bool(((codes < 0) | (codes >= LARGEST_CODE)).any()):
        raise part.error("categories", f"codes from 0 to {LARGEST_CODE - 1}")
    for node, begin, size in zip(nodes.tolist(), begins, sizes, strict=True):
        yield node, np.unique(codes[begin : begin + size])
