"""Which splits of a forest stay, and what the others become.

A split is worth what it tells apart: how much the values of its leaves vary less on either side of
it, over rows that count most where the answer is a near thing. As in LOP (Devos et al.,
"Compressing tree ensembles through level-wise optimization and pruning", ICML 2025), trees lose
whole subtrees, some trees are left out, and the leaf values are fitted again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from onnxpress.graph.trees.forest import Forest
from onnxpress.quantize.forest.faithful.originals import Matrix, Originals
from onnxpress.quantize.forest.lossless.passes import Numbers, Unfolded, take_splits, unfold

_UNSEEN = 1e-3
"""What a leaf counts beside the rows that reach it, so that one without rows has a value too."""


@dataclass(frozen=True)
class Pruned:
    """A forest of fewer splits, whose leaves have new numbers."""

    forest: Forest
    """The splits that stay; its leaf values are still to come."""
    trees: NDArray[np.intp]
    """(trees,) which trees of the original these are."""
    leaf: Numbers
    """(leaves of the original,) the leaf that each has become a part of; -1 in a tree left out."""
    start: Matrix
    """(leaves, targets) the mean of the original's leaf values in each."""


def prune(originals: Originals, splits: int, trees: int) -> Pruned:
    """The ``splits`` that are worth most, of the ``trees`` that are worth most."""
    forest = originals.forest
    tree = unfold(forest)
    count, total = _leaf_sums(originals)
    counts, totals = _node_sums(tree, count), _node_sums(tree, total)
    worth = _worth(tree, (count, total), (counts, totals))
    owner = forest.tree_of_split[tree.old]
    by_tree = np.bincount(owner, worth, forest.n_trees)
    chosen = np.sort(np.argsort(-by_tree, kind="stable")[:trees])
    worth[~np.isin(owner, chosen)] = 0.0
    kept = _most(worth, splits)
    return _collapsed(forest, tree, kept, (count, total), (counts, totals))


def _leaf_sums(originals: Originals) -> tuple[Matrix, Matrix]:
    """How much the rows in each leaf count, (leaves, 1), and their values (leaves, targets)."""
    forest = originals.forest
    count = np.full(forest.n_leaves, _UNSEEN)
    for column in originals.leaves.T:
        count += np.bincount(column, originals.weight, forest.n_leaves)
    return count[:, None], count[:, None] * forest.leaf_values


def _node_sums(tree: Unfolded, of_leaf: Matrix) -> Matrix:
    """What the leaves below each split sum up to, (splits, columns): the deepest level first."""
    total = np.zeros((len(tree.old), of_leaf.shape[1]))
    for level in reversed(tree.level):
        for children in (tree.true_child[level], tree.false_child[level]):
            total[level] += _at(children, of_leaf, total)
    return total


def _at(children: Numbers, of_leaf: Matrix, of_split: Matrix) -> Matrix:
    """The values of children, (children, columns), from those of leaves and of splits."""
    leaf = children < 0
    found = np.zeros((len(children), of_leaf.shape[1]))
    found[leaf] = of_leaf[~children[leaf]]
    found[~leaf] = of_split[children[~leaf]]
    return found


def _worth(
    tree: Unfolded, of_leaf: tuple[Matrix, Matrix], of_split: tuple[Matrix, Matrix]
) -> Matrix:
    """What each split, or the best split below it, takes off the squared distances, (splits,)."""
    gain = -_squares(*of_split)
    for children in (tree.true_child, tree.false_child):
        counts, totals = (
            _at(children, leaf, split) for leaf, split in zip(of_leaf, of_split, strict=True)
        )
        gain += _squares(counts, totals)
    for level in reversed(tree.level):
        for children in (tree.true_child[level], tree.false_child[level]):
            below = np.where(children >= 0, gain[np.maximum(children, 0)], 0.0)
            gain[level] = np.maximum(gain[level], below)
    return gain


def _squares(count: Matrix, total: Matrix) -> Matrix:
    """The squared sum of values over the number of rows, (nodes,)."""
    return np.asarray((total**2).sum(axis=1) / count[:, 0])


def _most(worth: Matrix, splits: int) -> NDArray[np.bool_]:
    """The ``splits`` that are worth most, (splits,).

    Breadth-first numbers grow from the roots, and the first of equal ones stay: a split stays only
    below one that does.
    """
    kept = np.zeros(len(worth), np.bool_)
    kept[np.argsort(-worth, kind="stable")[:splits]] = True
    return kept & (worth > 0)


def _collapsed(
    forest: Forest,
    tree: Unfolded,
    kept: NDArray[np.bool_],
    of_leaf: tuple[Matrix, Matrix],
    of_split: tuple[Matrix, Matrix],
) -> Pruned:
    """The forest of the splits ``kept``; what is below another becomes one leaf.

    A new leaf is named by what it was, ~split or the old leaf's number, until all are known:

        split         0 kept      1 dropped    true child of 0 is split 1, with the leaves 0 and 1
        new leaves    split 1, leaf 2          so that the leaves 0 and 1 become one, and 2 another
    """
    children = [tree.true_child[kept], tree.false_child[kept]]
    number = (np.cumsum(kept) - 1).astype(np.int32)
    ends = np.unique(np.concatenate([child[~_stays(child, kept)] for child in children]))
    renumbered = []
    for child in children:
        stays = _stays(child, kept)
        new = ~np.searchsorted(ends, child).astype(np.int32)
        new[stays] = number[child[stays]]
        renumbered.append(new)
    counts, totals = (_at(ends, *pair) for pair in zip(of_leaf, of_split, strict=True))
    n_roots = int((forest.roots >= 0).sum())
    roots = np.flatnonzero(kept[:n_roots])
    result = replace(
        take_splits(forest, tree.old[kept]),
        true_child=renumbered[0],
        false_child=renumbered[1],
        roots=number[roots],
    )
    trees = np.flatnonzero(forest.roots >= 0)[roots]
    return Pruned(result, trees, _new_leaf(tree, ends, forest.n_leaves), totals / counts)


def _stays(child: Numbers, kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether each child is a split that is kept."""
    return (child >= 0) & kept[np.maximum(child, 0)]


def _new_leaf(tree: Unfolded, ends: Numbers, leaves: int) -> Numbers:
    """The new leaf that each old one is a part of, (leaves,): from the roots down."""
    of_split = np.full(len(tree.old), -1, np.int32)
    of_leaf = np.full(leaves, -1, np.int32)
    inner = ends >= 0
    of_split[ends[inner]] = np.flatnonzero(inner)
    of_leaf[~ends[~inner]] = np.flatnonzero(~inner)
    for level in tree.level:
        above = of_split[level]
        for children in (tree.true_child[level], tree.false_child[level]):
            leaf = (children < 0) & (above >= 0)
            split = (children >= 0) & (above >= 0)
            of_leaf[~children[leaf]] = above[leaf]
            of_split[children[split]] = above[split]
    return of_leaf
