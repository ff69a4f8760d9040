"""Passes: each takes a Forest and returns one with the same output on every input.

They work on whole numpy arrays, in linear time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from onnxpress.graph.trees.forest import Forest
from onnxpress.graph.trees.reader import Untreatable
from onnxpress.quantize.forest.lossless.leaves import order_leaves, share_leaves

Numbers = NDArray[np.int32]

MAX_GROWTH = 4  # shared subtrees may be copied until a forest has this many times its splits


def lossless(forest: Forest) -> Forest:
    """Apply all passes.

    1. Shared subtrees become copies, in preorder (:func:`preorder`).
    2. Leaves that add the same become one leaf (:func:`share_leaves`).
    3. Splits whose branches end in the same leaf become that leaf (:func:`merge_equal_children`).
    4. Leaves are numbered by how often they are used (:func:`order_leaves`).
    """
    return order_leaves(merge_equal_children(share_leaves(preorder(forest))))


def shares_children(forest: Forest) -> bool:
    """Whether two branches end in one child, as in LightGBM's categorical splits."""
    children = np.concatenate([forest.true_child, forest.false_child, forest.roots])
    return len(np.unique(children)) < len(children)


@dataclass(frozen=True)
class Unfolded:
    r"""The splits of a forest level by level (breadth-first), none of them shared.

    A tree of four splits on three levels, whose leaves are a to e:

              0            split        0   1   2   3
             / \           true child   1   3   c   a
            1   2          false child  2   b   d   e
           / \ / \         level        0   1   1   2
          3  b c  d
         / \
        a   e
    """

    old: Numbers  # the split each one copies
    true_child: Numbers  # in breadth-first numbers, or ~leaf
    false_child: Numbers
    level: list[slice]


def unfold(forest: Forest) -> Unfolded:
    """Walk breadth-first from the roots.

    Unreachable splits vanish, and a split that two parents share is copied.
    """
    current = forest.roots[forest.roots >= 0]
    old, true_child, false_child, level, end = [], [], [], [], 0
    while len(current):
        start, end = end, end + len(current)
        if end > MAX_GROWTH * forest.n_splits + 1:
            raise Untreatable("trees share so many subtrees that they cannot be written apart")
        pair = np.stack([forest.true_child[current], forest.false_child[current]], axis=1)
        inner = pair >= 0
        following = pair[inner]
        pair[inner] = np.arange(end, end + len(following))
        old.append(current)
        true_child.append(pair[:, 0])
        false_child.append(pair[:, 1])
        level.append(slice(start, end))
        current = following
    nothing = [np.zeros(0, np.int32)]
    joined = [np.concatenate(nothing + parts) for parts in (old, true_child, false_child)]
    return Unfolded(joined[0], joined[1], joined[2], level)


def preorder(forest: Forest) -> Forest:
    """Number splits depth-first, true branch first, tree after tree.

    Nothing is shared afterwards, and nothing is unreachable.
    """
    tree = unfold(forest)
    n_roots = int((forest.roots >= 0).sum())
    position = preorder_positions(tree, n_roots)
    order = np.empty_like(position)
    order[position] = np.arange(len(position), dtype=np.int32)

    def renumbered(children: Numbers) -> Numbers:
        result = children[order]
        inner = result >= 0
        result[inner] = position[result[inner]]
        return result

    roots = forest.roots.copy()
    roots[roots >= 0] = position[:n_roots]
    return replace(
        take_splits(forest, tree.old[order]),
        true_child=renumbered(tree.true_child),
        false_child=renumbered(tree.false_child),
        roots=roots,
    )


def subtree_sizes(tree: Unfolded) -> Numbers:
    """How many splits each subtree has, its root included: the deepest level first.

    The tree of :class:`Unfolded`, with the leaves a to e as ~0 to ~4:

    >>> levels = [slice(0, 1), slice(1, 3), slice(3, 4)]
    >>> yes, no = np.int32([1, 3, ~2, ~0]), np.int32([2, ~1, ~3, ~4])
    >>> subtree_sizes(Unfolded(np.arange(4), yes, no, levels)).tolist()
    [4, 2, 1, 1]
    """
    size = np.ones(len(tree.old), np.int32)
    for level in reversed(tree.level):
        for children in (tree.true_child[level], tree.false_child[level]):
            inner = children >= 0
            size[level][inner] += size[children[inner]]
    return size


def preorder_positions(tree: Unfolded, n_roots: int) -> Numbers:
    """The preorder number of each split, (splits,): the shallowest level first.

    A true child comes right after its parent, a false child after the subtree of the true one. In
    the tree of :class:`Unfolded`, split 3 comes before split 2:

    >>> levels = [slice(0, 1), slice(1, 3), slice(3, 4)]
    >>> yes, no = np.int32([1, 3, ~2, ~0]), np.int32([2, ~1, ~3, ~4])
    >>> preorder_positions(Unfolded(np.arange(4), yes, no, levels), n_roots=1).tolist()
    [0, 1, 3, 2]
    """
    size = subtree_sizes(tree)
    position = np.zeros(len(tree.old), np.int32)
    position[:n_roots] = np.cumsum(size[:n_roots]) - size[:n_roots]
    for level in tree.level:
        true_child, false_child = tree.true_child[level], tree.false_child[level]
        inner = true_child >= 0
        position[true_child[inner]] = position[level][inner] + 1
        after = position[level] + 1
        after[inner] += size[true_child[inner]]
        inner = false_child >= 0
        position[false_child[inner]] = after[inner]
    return position


def take_splits(forest: Forest, index: Numbers) -> Forest:
    """The forest with its per-split arrays at ``index``; the children are still in old numbers."""
    names = ("feature", "threshold", "mode", "missing_true", "true_child", "false_child")
    return replace(forest, **{name: getattr(forest, name)[index] for name in names})


def merge_equal_children(forest: Forest) -> Forest:
    """Replace each split whose two branches end in the same leaf by that leaf."""
    tree = unfold(forest)
    joined, true_child, false_child = join_equal_children(tree)
    if (joined >= 0).all():
        return forest
    roots = forest.roots.copy()
    roots[roots >= 0] = joined[: int((roots >= 0).sum())]
    unfolded = replace(
        take_splits(forest, tree.old), true_child=true_child, false_child=false_child, roots=roots
    )
    return preorder(unfolded)


def join_equal_children(tree: Unfolded) -> tuple[Numbers, Numbers, Numbers]:
    """What each split becomes, itself or ~leaf, and the children that follow from it.

    From the deepest level up, so that once is enough. In the tree of :class:`Unfolded` let the
    leaves a, b and e be the same, ~0. Then split 3 becomes it, and so does split 1:

    >>> levels = [slice(0, 1), slice(1, 3), slice(3, 4)]
    >>> yes, no = np.int32([1, 3, ~2, ~0]), np.int32([2, ~0, ~3, ~0])
    >>> joined, yes, no = join_equal_children(Unfolded(np.arange(4), yes, no, levels))
    >>> joined.tolist()
    [0, -1, 2, -1]
    >>> int(yes[0]), int(no[0])  # the children of the root
    (-1, 2)
    """
    joined = np.arange(len(tree.old), dtype=np.int32)
    true_child, false_child = tree.true_child.copy(), tree.false_child.copy()
    for level in reversed(tree.level):
        for children in (true_child, false_child):
            inner = children[level] >= 0
            children[level][inner] = joined[children[level][inner]]
        merged = true_child[level] == false_child[level]
        joined[level][merged] = true_child[level][merged]
    return joined, true_child, false_child
