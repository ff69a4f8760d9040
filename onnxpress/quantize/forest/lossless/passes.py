"""Passes: each takes a Forest and returns one with the same output on every input, in numpy arrays and linear time."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from onnxpress.graph.trees.forest import Forest
from onnxpress.graph.trees.reader import Untreatable
from onnxpress.quantize.forest.lossless.leaves import order_leaves, share_leaves

MAX_GROWTH = 4  # shared subtrees may be copied until a forest has this many times its splits


def lossless(forest: Forest) -> Forest:
    """All passes: trees without sharing, shared leaves, no split without effect."""
    return order_leaves(merge_equal_children(share_leaves(preorder(forest))))


def shares_children(forest: Forest) -> bool:
    """Whether two branches end in one child, as in LightGBM's categorical splits."""
    children = np.concatenate([forest.true_child, forest.false_child, forest.roots])
    return len(np.unique(children)) < len(children)


@dataclass(frozen=True)
class Unfolded:
    """The splits of a forest level by level, each reference to a split a copy of its own (breadth-first order)."""

    old: NDArray[np.int32]  # the split each one copies
    true_child: NDArray[np.int32]  # in breadth-first numbers, or ~leaf
    false_child: NDArray[np.int32]
    level: list[slice]


def unfold(forest: Forest) -> Unfolded:
    """Breadth-first walk from the roots: unreachable splits vanish, a split that two parents share is copied."""
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
    """Splits in depth-first order, true branch first, tree after tree; nothing shared, nothing unreachable."""
    tree = unfold(forest)
    size = np.ones(len(tree.old), np.int32)
    for level in reversed(tree.level):
        for children in (tree.true_child[level], tree.false_child[level]):
            inner = children >= 0
            size[level][inner] += size[children[inner]]
    position = np.zeros(len(tree.old), np.int32)
    n_roots = int((forest.roots >= 0).sum())
    position[:n_roots] = np.cumsum(size[:n_roots]) - size[:n_roots]
    for level in tree.level:
        true_child, false_child = tree.true_child[level], tree.false_child[level]
        inner = true_child >= 0
        position[true_child[inner]] = position[level][inner] + 1
        after = position[level] + 1
        after[inner] += size[true_child[inner]]
        inner = false_child >= 0
        position[false_child[inner]] = after[inner]
    order = np.empty_like(position)
    order[position] = np.arange(len(position), dtype=np.int32)

    def renumbered(children: NDArray[np.int32]) -> NDArray[np.int32]:
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


def take_splits(forest: Forest, index: NDArray[np.int32]) -> Forest:
    """The forest with its per-split arrays at ``index``; the children are still in old numbers."""
    names = ("feature", "threshold", "mode", "missing_true", "true_child", "false_child")
    return replace(forest, **{name: getattr(forest, name)[index] for name in names})


def merge_equal_children(forest: Forest) -> Forest:
    """A split whose two branches end in the same leaf is that leaf; from the deepest level up, so once is enough."""
    tree = unfold(forest)
    stands_for = np.arange(len(tree.old), dtype=np.int32)
    true_child, false_child = tree.true_child.copy(), tree.false_child.copy()
    for level in reversed(tree.level):
        for children in (true_child, false_child):
            inner = children[level] >= 0
            children[level][inner] = stands_for[children[level][inner]]
        merged = true_child[level] == false_child[level]
        stands_for[level][merged] = true_child[level][merged]
    if (stands_for >= 0).all():
        return forest
    roots = forest.roots.copy()
    roots[roots >= 0] = stands_for[: int((roots >= 0).sum())]
    unfolded = replace(
        take_splits(forest, tree.old), true_child=true_child, false_child=false_child, roots=roots
    )
    return preorder(unfolded)
