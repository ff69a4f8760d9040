"""Subtrees that several trees have alike, written once.

Trees that learned from much the same rows end in equal splits: a quarter of a forest's on iris.
onnxruntime 1.21 to 1.32 reads each tree from its root and copies what trees share. It refuses a
split that is reached in two ways within one tree.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from onnxpress.graph.trees.forest import Forest
from onnxpress.quantize.forest.lossless.passes import MAX_GROWTH, take_splits

Numbers = NDArray[np.int64]


def share_subtrees(forest: Forest) -> Forest:
    """Write equal subtrees of different trees once: the first of them stays.

    ``forest`` is in preorder and shares no splits yet. Where it would shrink so much that reading
    it refuses to copy the shared splits, it stays as it is.
    """
    same = equal_subtrees(forest)
    kept = same == np.arange(forest.n_splits)
    if kept.all() or MAX_GROWTH * kept.sum() < forest.n_splits:
        return forest
    number = (np.cumsum(kept) - 1)[same].astype(np.int32)

    def renumbered(children: NDArray[np.int32]) -> NDArray[np.int32]:
        return np.where(children >= 0, number[np.maximum(children, 0)], children).astype(np.int32)

    first = take_splits(forest, np.flatnonzero(kept).astype(np.int32))
    return replace(
        first,
        true_child=renumbered(first.true_child),
        false_child=renumbered(first.false_child),
        roots=renumbered(forest.roots),
    )


def equal_subtrees(forest: Forest) -> Numbers:
    """For each split the first whose subtree is equal, (splits,): its own number if there is none.

    Splits are compared from the leaves up: first those with two leaves, then those whose children
    have equals. Within a tree only the first of equal subtrees counts. Its parent is then the only
    one of its kind in the tree.

    Three trees, of which split 1 and split 2 are equal, so that split 0 and split 3 are compared:

        tree 0: split 0 over split 1 and leaf a     split         0  1  2  3  4
        tree 1: split 2                             first equal   0  1  1  0  1
        tree 2: split 3 over split 4 and leaf a
    """
    same = np.arange(forest.n_splits)
    parent = _parents(forest)
    has_equals = np.zeros(forest.n_splits, np.bool_)
    compared = np.flatnonzero((forest.true_child < 0) & (forest.false_child < 0))
    while len(compared):
        groups = _groups(forest, same, compared)
        same[groups[0]] = groups[1]
        has_equals[groups[0]] = True
        above = np.unique(parent[groups[0]])
        above = above[above >= 0]
        ready = np.ones(len(above), np.bool_)
        for children in (forest.true_child, forest.false_child):
            child = children[above]
            ready &= (child < 0) | has_equals[np.maximum(child, 0)]
        compared = above[ready]
    return same


def _parents(forest: Forest) -> Numbers:
    parent = np.full(forest.n_splits, -1)
    for children in (forest.true_child, forest.false_child):
        inner = np.flatnonzero(children >= 0)
        parent[children[inner]] = inner
    return parent


def _groups(forest: Forest, same: Numbers, compared: Numbers) -> tuple[Numbers, Numbers]:
    """Those of ``compared`` that have equals in other trees, and the first of each one's equals."""
    children = [
        np.where(each >= 0, same[np.maximum(each, 0)], each)
        for each in (forest.true_child[compared], forest.false_child[compared])
    ]
    wide = forest.threshold.dtype == np.float64
    bits = forest.threshold[compared].view(np.uint64 if wide else np.uint32)
    kind = forest.mode[compared].astype(np.int64) * 2 + forest.missing_true[compared]
    keys = (*children, bits, forest.feature[compared], kind)
    order = np.lexsort((compared, *keys))
    begins = _differs(keys, order)
    tree = forest.tree_of_split[compared][order]
    again = ~begins & (tree == np.roll(tree, 1))
    order, begins = order[~again], begins[~again]
    group = np.cumsum(begins) - 1
    members = np.bincount(group) if len(group) else group
    several = members[group] > 1
    first = compared[order][begins][group]
    return compared[order][several], first[several]


def _differs(keys: tuple[NDArray[np.generic], ...], order: Numbers) -> NDArray[np.bool_]:
    """Whether each of the sorted splits differs from the one before it."""
    result = np.ones(len(order), np.bool_)
    result[1:] = False
    for key in keys:
        ordered = key[order]
        result[1:] |= ordered[1:] != ordered[:-1]
    return result
