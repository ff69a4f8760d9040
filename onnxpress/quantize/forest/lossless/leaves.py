"""Passes over leaves alone: fewer entries, equal leaves shared, often used ones first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.graph.trees.forest import Forest

Numbers = NDArray[np.int32]

MANY = 15  # trees per base value from which one more tree costs less than one more operator


def drop_zeros(forest: Forest) -> Forest:
    """Drop zero weights; each leaf keeps at least one entry.

    Only for sums: a zero counts in MIN and MAX.
    """
    kept = kept_entries(forest.leaf_weight, forest.leaf_offset)
    count = np.add.reduceat(kept, forest.leaf_offset[:-1], dtype=np.int32)
    offset = np.zeros_like(forest.leaf_offset)
    np.cumsum(count, out=offset[1:])
    return replace(
        forest,
        leaf_offset=offset,
        leaf_target=forest.leaf_target[kept],
        leaf_weight=forest.leaf_weight[kept],
    )


def kept_entries(weight: NDArray[Any], offset: Numbers) -> NDArray[np.bool_]:
    """Which entries are not zero, or the first of a leaf of zeros, (entries,).

    Three leaves have the weights (5, 0), (0, 0) and (7):

    >>> kept_entries(np.float32([5, 0, 0, 0, 7]), np.int32([0, 2, 4, 5])).tolist()
    [True, False, True, False, True]
    """
    kept: NDArray[np.bool_] = weight != 0
    kept[offset[:-1]] |= np.add.reduceat(kept, offset[:-1]) == 0
    return kept


def base_as_trees(forest: Forest) -> Forest:
    """Write base values as trees of one leaf behind the others, where those are many.

    That is an operator less to run. Trees are added up one after another, so the base value is
    still added last and rounds alike.
    """
    targets = np.flatnonzero(forest.base_values).astype(np.int32)
    one_entry = (np.diff(forest.leaf_offset) == 1).all()
    few_trees = len(targets) * MANY > forest.n_trees
    if forest.aggregate != "SUM" or forest.binary == "margin" or not one_entry or few_trees:
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
    """Make one leaf of leaves that add the same."""
    group, first = _equal_leaves(forest)
    return renumber_leaves(forest, group, first)


def order_leaves(forest: Forest) -> Forest:
    """Number often used leaves first and drop unused ones: small numbers are short varints."""
    children = np.concatenate([forest.true_child, forest.false_child, forest.roots])
    number, source = by_use(~children[children < 0], forest.n_leaves)
    return renumber_leaves(forest, number, source)


def by_use(used: Numbers, leaves: int) -> tuple[Numbers, Numbers]:
    """The new number of each leaf, and the old number of each new one, by how often each is used.

    Of four leaves, leaf 2 is used three times, leaf 0 twice, and the others never:

    >>> number, source = by_use(np.int32([2, 0, 2, 0, 2]), leaves=4)
    >>> number.tolist(), source.tolist()  # unused leaves have no number of their own
    ([1, 0, 0, 0], [2, 0])
    """
    uses = np.bincount(used, minlength=leaves)
    source = np.argsort(-uses, kind="stable")[: int((uses > 0).sum())].astype(np.int32)
    number = np.zeros(leaves, np.int32)
    number[source] = np.arange(len(source), dtype=np.int32)
    return number, source


def renumber_leaves(forest: Forest, number: Numbers, source: Numbers) -> Forest:
    """Old leaf i becomes leaf ``number[i]``; new leaf j has the entries of leaf ``source[j]``."""

    def renumbered(children: Numbers) -> Numbers:
        result = children.copy()
        leaf = result < 0
        result[leaf] = ~number[~result[leaf]]
        return result

    offset, entries = taken_entries(forest.leaf_offset, source)
    return replace(
        forest,
        true_child=renumbered(forest.true_child),
        false_child=renumbered(forest.false_child),
        roots=renumbered(forest.roots),
        leaf_offset=offset,
        leaf_target=forest.leaf_target[entries],
        leaf_weight=forest.leaf_weight[entries],
    )


def taken_entries(offset: Numbers, source: Numbers) -> tuple[Numbers, NDArray[np.int64]]:
    """The offsets of the leaves ``source``, and the positions of their entries behind each other.

    Three leaves have 2, 1 and 3 entries. Leaf 2 and then leaf 0 are taken:

    >>> new, entries = taken_entries(np.int32([0, 2, 3, 6]), source=np.int32([2, 0]))
    >>> new.tolist(), entries.tolist()
    ([0, 3, 5], [3, 4, 5, 0, 1])

    The position is the running number (0 to 4) and, for each leaf, how far it has moved: 3 and -3.
    """
    count = np.diff(offset)[source]
    new = np.zeros(len(source) + 1, np.int32)
    np.cumsum(count, out=new[1:])
    return new, np.arange(new[-1]) + np.repeat(offset[source] - new[:-1], count)


def _equal_leaves(forest: Forest) -> tuple[Numbers, Numbers]:
    """The group of each leaf, and one leaf of each group.

    Leaves are grouped by a 64-bit hash of their entries, then compared in full. Three leaves that
    add 5, 7 and 5 to target 0 are in the groups x, y and x, of which the leaves 0 and 1 are the
    first. If two leaves share a hash by chance, another seed is tried.
    """
    wide = forest.leaf_weight.dtype == np.float64
    bits = forest.leaf_weight.view(np.uint64 if wide else np.uint32)
    count = np.diff(forest.leaf_offset)
    for seed in (1, 2, 3):
        target = _mix(forest.leaf_target.astype(np.uint64))
        mixed = _mix(bits.astype(np.uint64) + np.uint64(seed) * target)
        hashes = np.add.reduceat(mixed, forest.leaf_offset[:-1]) if forest.n_leaves else mixed
        _, first, group = np.unique(hashes, return_index=True, return_inverse=True)
        same = first[group].astype(np.int32)
        if not np.array_equal(count[same], count):
            continue
        _, entries = taken_entries(forest.leaf_offset, same)
        equal_bits = np.array_equal(bits[entries], bits)
        if equal_bits and np.array_equal(forest.leaf_target[entries], forest.leaf_target):
            return group.astype(np.int32), first.astype(np.int32)
    every = np.arange(forest.n_leaves, dtype=np.int32)
    return every, every


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of splitmix64 (Steele, Lea and Flood 2014)."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
