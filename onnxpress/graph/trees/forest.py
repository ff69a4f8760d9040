"""Forest: the plain-array form of one tree node, between reading it from a graph and writing it.

Splits and leaves are stored apart, all trees one after another. A child is a split's index when it
is >= 0, and leaf ``~child`` when it is < 0. A root is written the same way, so a tree may be a
single leaf. What a leaf adds is stored sparsely, because boosting has one target per tree and a
dense row of all classes would be mostly zeros: leaf ``i`` adds ``leaf_weight[k]`` to
``leaf_target[k]`` for k in ``leaf_offset[i]:leaf_offset[i + 1]``.

Two trees of three splits and four leaves. The first asks for x0 <= 1, then for x1 <= 2; the second
asks for x1 <= 3:

>>> forest = Forest(
...     feature=np.int32([0, 1, 1]),
...     threshold=np.float32([1, 2, 3]),
...     mode=np.uint8([Mode.LEQ, Mode.LEQ, Mode.LEQ]),
...     missing_true=np.array([False, False, False]),
...     true_child=np.int32([~0, ~1, ~3]),
...     false_child=np.int32([1, ~2, ~0]),
...     roots=np.int32([0, 2]),
...     leaf_offset=np.int32([0, 1, 2, 4, 5]),
...     leaf_target=np.int32([0, 0, 0, 1, 1]),
...     leaf_weight=np.float32([10, 20, 30, 31, 41]),
...     n_targets=2,
... )
>>> leaf_index(forest, np.float32([[0, 9], [2, 2], [2, 9]]))  # three rows, two trees
array([[0, 0],
       [1, 3],
       [2, 0]], dtype=int32)
>>> forest.leaf_values  # leaf 2 adds to both targets
array([[10.,  0.],
       [20.,  0.],
       [30., 31.],
       [ 0., 41.]], dtype=float32)
>>> forest.tree_of_split
array([0, 0, 1], dtype=int32)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import IntEnum
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]
"""float32, or float64 for trees over double inputs."""


class Mode(IntEnum):
    """How a split compares a feature with its threshold, as numbered by ai.onnx.ml 5."""

    LEQ = 0
    LT = 1
    GTE = 2
    GT = 3
    EQ = 4
    NEQ = 5
    MEMBER = 6


def _no_base_values() -> Floats:
    return np.zeros(0, np.float32)


@dataclass(frozen=True)
class Forest:
    """Trees over ``x`` (rows, features), their raw scores (rows, n_targets), and what follows."""

    feature: NDArray[np.int32]  # (splits,)
    threshold: Floats  # (splits,); of a MEMBER split the position of its set in ``member_sets``
    mode: NDArray[np.uint8]  # (splits,) values of Mode
    missing_true: NDArray[np.bool_]  # (splits,) NaN takes the true branch whatever is compared
    true_child: NDArray[np.int32]  # (splits,) a split, or ~leaf
    false_child: NDArray[np.int32]  # (splits,)
    roots: NDArray[np.int32]  # (trees,)
    leaf_offset: NDArray[np.int32]  # (leaves + 1,) rows of the sparse leaf table
    leaf_target: NDArray[np.int32]  # (entries,)
    leaf_weight: Floats  # (entries,)
    n_targets: int

    aggregate: str = "SUM"
    """SUM, AVERAGE, MIN or MAX over trees."""
    post_transform: str = "NONE"
    """NONE, SOFTMAX, LOGISTIC, SOFTMAX_ZERO or PROBIT."""
    base_values: Floats = field(default_factory=_no_base_values)
    """(n_targets,), or fewer: the others have none."""
    labels: NDArray[np.int64] | tuple[str, ...] | None = None
    """Class labels; None for a regressor."""
    binary: str = ""
    """Two classes from one target s: "probability" is [1 - s, s], "margin" is [-s, s]."""
    member_sets: tuple[Floats, ...] = ()
    """The sets of the MEMBER splits."""

    @property
    def n_splits(self) -> int:
        """How many splits all trees have."""
        return len(self.feature)

    @property
    def n_leaves(self) -> int:
        """How many leaves there are, shared ones counted once."""
        return len(self.leaf_offset) - 1

    @property
    def n_trees(self) -> int:
        """How many trees there are."""
        return len(self.roots)

    @cached_property
    def leaf_values(self) -> Floats:
        """Dense leaf rows, (leaves, n_targets): the sum of what each leaf adds to each target."""
        dense = np.zeros((self.n_leaves, self.n_targets), self.leaf_weight.dtype)
        owner = np.repeat(np.arange(self.n_leaves), np.diff(self.leaf_offset))
        np.add.at(dense, (owner, self.leaf_target), self.leaf_weight)
        return dense

    def with_leaf_values(self, dense: Floats) -> Forest:
        """The same trees with leaf rows ``dense`` (leaves, n_targets).

        Zeros are not stored, except one in a row that has nothing else. Three rows

            dense     [[1, 0], [0, 0], [2, 3]]
            stored    [[1, -], [0, -], [2, 3]]

        become the offsets [0, 1, 2, 4], the targets [0, 0, 0, 1] and the weights [1, 0, 2, 3].
        """
        stored = dense != 0
        stored[~stored.any(axis=1), 0] = True
        owner, target = np.nonzero(stored)
        offset = np.zeros(len(dense) + 1, np.int32)
        np.cumsum(np.bincount(owner, minlength=len(dense)), out=offset[1:])
        return replace(
            self,
            leaf_offset=offset,
            leaf_target=target.astype(np.int32),
            leaf_weight=dense[owner, target],
        )

    @cached_property
    def tree_of_split(self) -> NDArray[np.int32]:
        """The tree each split belongs to, (splits,); -1 where no root leads to it."""
        return self._owners()[0]

    @cached_property
    def tree_of_leaf(self) -> NDArray[np.int32]:
        """The tree each leaf belongs to, (leaves,); -1 if unreachable.

        Of a leaf that trees share, it is the last of them.
        """
        return self._owners()[1]

    def _owners(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """The trees of splits and of leaves, level by level from the roots.

        A split that several parents share is visited once: of the positions in ``nodes`` that hold
        the same split, only the last one written to ``visit`` reads its own number back. For
        the splits [5, 6, 5] ``visit[5]`` is 2 and ``visit[6]`` is 1, so position 0 is dropped.
        """
        split_tree = np.full(self.n_splits, -1, np.int32)
        leaf_tree = np.full(self.n_leaves, -1, np.int32)
        visit = np.zeros(self.n_splits, np.int32)
        nodes, trees = self.roots, np.arange(self.n_trees, dtype=np.int32)
        while len(nodes):
            leaf = nodes < 0
            leaf_tree[~nodes[leaf]] = trees[leaf]
            fresh = ~leaf
            fresh[~leaf] = split_tree[nodes[~leaf]] < 0
            nodes, trees = nodes[fresh], trees[fresh]
            visit[nodes] = np.arange(len(nodes), dtype=np.int32)
            once = visit[nodes] == np.arange(len(nodes))
            nodes, trees = nodes[once], trees[once]
            split_tree[nodes] = trees
            nodes = np.concatenate([self.true_child[nodes], self.false_child[nodes]])
            trees = np.concatenate([trees, trees])
        return split_tree, leaf_tree


def leaf_index(forest: Forest, x: NDArray[Any]) -> NDArray[np.int32]:
    """The leaf each row of ``x`` (rows, features) reaches in each tree, (rows, trees)."""
    position = np.tile(forest.roots, (len(x), 1))
    for rows, trees, nodes in _steps(forest, x):
        position[rows, trees] = nodes
    return ~position


def reached_by(forest: Forest, x: NDArray[Any]) -> NDArray[np.int32]:
    """For each split a row of ``x`` that passes it, (splits,); -1 where none does."""
    found = np.full(forest.n_splits, -1, np.int32)
    found[forest.roots[forest.roots >= 0]] = 0 if len(x) else -1
    for rows, _, nodes in _steps(forest, x):
        inner = nodes >= 0
        found[nodes[inner]] = rows[inner]
    return found


def _steps(
    forest: Forest, x: NDArray[Any]
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int32]]]:
    """(rows, trees, nodes reached) level by level.

    All that are still at a split take one step together. ``x`` is compared in the dtype of the
    thresholds.
    """
    values = np.asarray(x, forest.threshold.dtype)
    start = np.tile(forest.roots, (len(values), 1))
    rows, trees = np.nonzero(start >= 0)
    nodes = start[rows, trees]
    while len(nodes):
        taken = goes_true(forest, nodes, values[rows, forest.feature[nodes]])
        nodes = np.where(taken, forest.true_child[nodes], forest.false_child[nodes])
        yield rows, trees, nodes
        inner = nodes >= 0
        rows, trees, nodes = rows[inner], trees[inner], nodes[inner]


def goes_true(forest: Forest, splits: NDArray[np.int32], value: Floats) -> NDArray[np.bool_]:
    """Whether ``value`` (n,) takes the true branch at ``splits`` (n,)."""
    threshold, mode = forest.threshold[splits], forest.mode[splits]
    taken = forest.missing_true[splits] & np.isnan(value)
    for code in np.unique(mode):
        match = mode == code
        if code == Mode.MEMBER:
            sets = [forest.member_sets[int(position)] for position in threshold[match]]
            pairs = zip(value[match], sets, strict=True)
            taken[match] |= [bool(item in members) for item, members in pairs]
        else:
            taken[match] |= _COMPARE[Mode(code)](value[match], threshold[match])
    return taken


_COMPARE = {
    Mode.LEQ: np.less_equal,
    Mode.LT: np.less,
    Mode.GTE: np.greater_equal,
    Mode.GT: np.greater,
    Mode.EQ: np.equal,
    Mode.NEQ: np.not_equal,
}
