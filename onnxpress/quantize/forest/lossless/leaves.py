"""Passes over leaves alone: fewer entries, equal leaves shared, often used ones first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from onnxpress.graph.trees.forest import Forest

MANY = 50  # trees per base value from which one more tree costs less than one more operator


def drop_zeros(forest: Forest) -> Forest:
    """Zero weights are not stored; each leaf keeps at least one entry. Only for sums: a zero counts in MIN and MAX."""
    kept = forest.leaf_weight != 0
    kept[forest.leaf_offset[:-1]] |= np.add.reduceat(kept, forest.leaf_offset[:-1]) == 0
    count = np.add.reduceat(kept, forest.leaf_offset[:-1], dtype=np.int32)
    offset = np.zeros_like(forest.leaf_offset)
    np.cumsum(count, out=offset[1:])
    return replace(
        forest,
        leaf_offset=offset,
        leaf_target=forest.leaf_target[kept],
        leaf_weight=forest.leaf_weight[kept],
    )


def base_as_trees(forest: Forest) -> Forest:
    """Base values as trees of one leaf behind the others, where those are many: an operator less to run.

    Trees are added up one after another, so the base value is still added last and rounds alike.
    """
    targets = np.flatnonzero(forest.base_values).astype(np.int32)
    one_entry = (np.diff(forest.leaf_offset) == 1).all()
    if (
        forest.aggregate != "SUM"
        or forest.binary == "margin"
        or not one_entry
        or len(targets) * MANY > forest.n_trees
    ):
        return forest
    leaves = forest.n_leaves + np.arange(len(targets), dtype=np.int32)
    return replace(
        forest,
        roots=np.concatenate([forest.roots, ~leaves]),
        leaf_offset=np.arange(forest.n_leaves + len(targets) + 1, dtype=np.int32),
        leaf_target=np.concatenate([forest.leaf_target, targets]),
        leaf_weight=np.concatenate([forest.leaf_weight, forest.base_values[targets]]),
        base_values=forest.base_values[:0],
    )


def share_leaves(forest: Forest) -> Forest:
    """Leaves that add the same are one leaf."""
    group, first = _equal_leaves(forest)
    return renumber_leaves(forest, group, first)


def order_leaves(forest: Forest) -> Forest:
    """Often used leaves first, unused ones gone: their numbers are the shortest varints."""
    children = np.concatenate([forest.true_child, forest.false_child, forest.roots])
    uses = np.bincount(~children[children < 0], minlength=forest.n_leaves)
    order = np.argsort(-uses, kind="stable")[: int((uses > 0).sum())].astype(np.int32)
    rank = np.zeros(forest.n_leaves, np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return renumber_leaves(forest, rank, order)


def renumber_leaves(forest: Forest, number: NDArray[np.int32], source: NDArray[np.int32]) -> Forest:
    """Old leaf i becomes leaf ``number[i]``; new leaf j has the entries of old leaf ``source[j]``."""

    def renumbered(children: NDArray[np.int32]) -> NDArray[np.int32]:
        result = children.copy()
        leaf = result < 0
        result[leaf] = ~number[~result[leaf]]
        return result

    count = np.diff(forest.leaf_offset)[source]
    offset = np.zeros(len(source) + 1, np.int32)
    np.cumsum(count, out=offset[1:])
    entries = np.arange(offset[-1]) + np.repeat(forest.leaf_offset[source] - offset[:-1], count)
    return replace(
        forest,
        true_child=renumbered(forest.true_child),
        false_child=renumbered(forest.false_child),
        roots=renumbered(forest.roots),
        leaf_offset=offset,
        leaf_target=forest.leaf_target[entries],
        leaf_weight=forest.leaf_weight[entries],
    )


def _equal_leaves(forest: Forest) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """(group of each leaf, one leaf of each group): by a 64-bit hash of the entries, then compared in full."""
    bits = forest.leaf_weight.view(
        np.uint64 if forest.leaf_weight.dtype == np.float64 else np.uint32
    )
    count = np.diff(forest.leaf_offset)
    for seed in (1, 2, 3):
        mixed = _mix(
            bits.astype(np.uint64) + np.uint64(seed) * _mix(forest.leaf_target.astype(np.uint64))
        )
        hashes = np.add.reduceat(mixed, forest.leaf_offset[:-1]) if forest.n_leaves else mixed
        _, first, group = np.unique(hashes, return_index=True, return_inverse=True)
        same = first[group]
        if not np.array_equal(count[same], count):
            continue
        entries = np.arange(len(bits)) + np.repeat(
            forest.leaf_offset[same] - forest.leaf_offset[:-1], count
        )
        if np.array_equal(bits[entries], bits) and np.array_equal(
            forest.leaf_target[entries], forest.leaf_target
        ):
            return group.astype(np.int32), first.astype(np.int32)
    every = np.arange(forest.n_leaves, dtype=np.int32)
    return every, every


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of splitmix64 (Steele, Lea and Flood 2014)."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
