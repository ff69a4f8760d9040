"""Reads the trees of a model, and finds which of their splits are distinct."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxpress.evaluate.inner_tensors import Values
from onnxpress.graph.trees.forest import Forest, Mode, goes_true
from onnxpress.graph.trees.graphs import graphs
from onnxpress.graph.trees.reader import Untreatable, is_tree, read

ROOT = -1


@dataclass(frozen=True)
class Operator:
    """The trees of one operator, what they read, and the path from each split to its root."""

    reads: str
    """The tensor that the operator reads."""
    forest: Forest
    parent: NDArray[np.int32] = field(init=False)
    """(splits,) the split above, or ``ROOT``."""
    on_true: NDArray[np.bool_] = field(init=False)
    """(splits,) whether it is the true child of the split above."""

    def __post_init__(self) -> None:
        """Find the parent of each split from the children of all."""
        # split 0 has the true child 1 and the false child 2: parent [ROOT, 0, 0],
        # on_true [False, True, False]; a child below 0 is a leaf
        parent = np.full(self.forest.n_splits, ROOT, np.int32)
        on_true = np.zeros(self.forest.n_splits, np.bool_)
        for side, child in ((True, self.forest.true_child), (False, self.forest.false_child)):
            above = np.flatnonzero(child >= 0)
            parent[child[above]] = above
            on_true[child[above]] = side
        object.__setattr__(self, "parent", parent)
        object.__setattr__(self, "on_true", on_true)

    def compares(self, at: int) -> tuple[str, int]:
        """Return the tensor and the column of it that the split number ``at`` compares."""
        return self.reads, int(self.forest.feature[at])

    def goes_true(self, splits: NDArray[Any], compared: NDArray[Any]) -> NDArray[np.bool_]:
        """Flag the values, (n,), with which ``splits``, (n,), take the true branch."""
        return goes_true(self.forest, splits, compared.astype(self.forest.threshold.dtype))

    def reached(self, splits: NDArray[Any], rows: NDArray[Any]) -> NDArray[np.bool_]:
        """Flag the ``splits``, (n,), that ``rows``, (n, columns), reach from the root, one each."""
        # Upwards, all rows at once: does each take the branch that leads back down? Split 2 is the
        # true child of 1, and 1 the false child of 0, the root. Rows p at split 2 and q at split 1:
        #   step 1: p must go true at 1, q must go false at 0 and is at its root then
        #   step 2: p must go false at 0
        found, at = np.ones(len(rows), np.bool_), np.asarray(splits)
        below = np.flatnonzero(self.parent[at] != ROOT)
        while len(below):
            above = self.parent[at[below]]
            compared = rows[below, self.forest.feature[above]]
            found[below] &= self.goes_true(above, compared) == self.on_true[at[below]]
            at = at.copy()
            at[below] = above
            below = below[self.parent[above] != ROOT]
        return found


@dataclass(frozen=True)
class Split:
    """One split of one operator, by its numbers."""

    operator: int
    """Position in the list of operators."""
    at: int
    """Position in the operator's forest."""


def tree_nodes(model: onnx.ModelProto) -> tuple[list[onnx.NodeProto], int]:
    """Return the tree operators of the main graph, and how many lie in the graphs inside it."""
    found = [node for node in model.graph.node if is_tree(node)]
    everywhere = sum(is_tree(node) for graph in graphs(model.graph) for node in graph.node)
    return found, everywhere - len(found)


def read_operators(nodes: Sequence[onnx.NodeProto], values: Values) -> list[Operator]:
    """Return the operators that can be read and compare columns that ``values`` have."""
    found = []
    for node in nodes:
        double = values[node.input[0]].dtype == np.float64
        try:
            forest = read(node, np.float64 if double else np.float32)
        except Untreatable:
            continue
        if forest.feature.max(initial=-1) < values[node.input[0]].shape[1]:
            found.append(Operator(node.input[0], forest))
    return found


def distinct_splits(operators: Sequence[Operator], values: Values) -> NDArray[np.intp]:
    """Return a split for each distinct finite threshold, the nearest to its root.

    The result is (n, 2): operator and split, by their numbers. Two splits are the same if they
    compare the same column in the same way with the same number. Columns of two tensors are the
    same if they are equal in ``values``, which are best computed from rows whose columns were
    shuffled one by one.
    """
    if not operators:
        return np.zeros((0, 2), np.intp)
    columns = _column_numbers(operators, values)
    parts = [_comparisons(i, each, columns[each.reads]) for i, each in enumerate(operators)]
    # column mode threshold depth operator at      the first of each column, mode, threshold:
    #   4     0     1.5      2      0     7          4 0 1.5 1 0 3
    #   4     0     1.5      1      0     3          4 0 2.5 1 0 4
    #   4     0     2.5      1      0     4
    table = np.concatenate(parts)
    table = table[np.lexsort(table.T[::-1])]
    fresh = np.r_[True, (table[1:, :3] != table[:-1, :3]).any(axis=1)][: len(table)]
    return table[fresh, 4:].astype(np.intp)


def _comparisons(
    number: int, operator: Operator, columns: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return a row per finite split: column, mode, threshold, depth, operator, split.

    A split by membership counts by the first of its members.
    """
    forest = operator.forest
    threshold = forest.threshold.astype(np.float64)
    for member in np.flatnonzero(forest.mode == Mode.MEMBER):
        members = forest.member_sets[int(forest.threshold[member])]
        threshold[member] = members[0] if len(members) else np.nan
    depth = _depth(forest)
    at = np.flatnonzero(np.isfinite(threshold) & (depth >= 0))
    column, same = columns[forest.feature[at]], np.full(len(at), number)
    return np.column_stack([column, forest.mode[at], threshold[at], depth[at], same, at])


def _depth(forest: Forest) -> NDArray[np.int32]:
    """Return the steps from the root to each split, (splits,); -1 if it has no root."""
    # Level by level. Root 0 with children 1 and 2, and 3 below 2:
    #   level [0]     depth [0, -1, -1, -1]
    #   level [1, 2]  depth [0, 1, 1, -1]
    #   level [3]     depth [0, 1, 1, 2]
    depth = np.full(forest.n_splits, -1, np.int32)
    level: NDArray[Any] = np.unique(forest.roots[forest.roots >= 0])
    steps = 0
    while len(level):
        depth[level] = steps
        below = np.concatenate([forest.true_child[level], forest.false_child[level]])
        below = np.unique(below[below >= 0])
        level, steps = below[depth[below] < 0], steps + 1
    return depth


def _column_numbers(operators: Sequence[Operator], values: Values) -> dict[str, NDArray[np.int64]]:
    """Return a number for each column of each tensor; equal columns of several share theirs."""
    reads = list(dict.fromkeys(operator.reads for operator in operators))
    if len(reads) == 1:
        return {reads[0]: np.arange(values[reads[0]].shape[1])}
    known: dict[bytes, int] = {}
    numbers = {}
    for name in reads:
        digests = (sha256(column.tobytes()).digest() for column in values[name].T)
        found = [known.setdefault(digest, len(known)) for digest in digests]
        numbers[name] = np.array(found, np.int64)
    return numbers
