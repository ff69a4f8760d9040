"""Tree ensembles: indices within their tables, every path ends in a leaf, none is too deep.

onnxruntime builds a tree by a function that calls itself: 1.31 ends with a segmentation fault
somewhere between 10,000 and 30,000 levels. Older releases also follow indices that lead out of
their tables.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxpress.onnx_file.attributes import Attributes
from onnxpress.onnx_file.errors import BadModel
from onnxpress.onnx_file.tree_attributes import (
    LEAF_MODE,
    MEMBER_MODE,
    SPLIT_MODES,
    TENSOR,
    Per,
    TreeAttribute,
    required,
)

Ints = NDArray[np.int64]

MOST_LEVELS = 5_000
"""Levels of a tree; fitted ones have tens."""
MOST_TARGETS = 100_000
MOST_WAYS = 16
"""Ways from roots to a branch, on average: so many copies of it a runtime makes."""


def check_labelled_trees(found: Attributes) -> None:
    """Check a TreeEnsembleClassifier or -Regressor (ai.onnx.ml 1 and 3), whose nodes have ids.

    Raises:
        BadModel: lengths differ, an id leads nowhere, or nodes lead in a circle.
    """
    classifier = found.operator == "TreeEnsembleClassifier"
    kind, targets = (
        ("class", _classes(found)) if classifier else ("target", found.number("n_targets", 0))
    )
    trees, nodes = found.ints("nodes_treeids"), found.ints("nodes_nodeids")
    modes, count = found.strings("nodes_modes"), len(nodes)
    _equal_lengths(found, Per.NODE, count)
    _check_tracks(found, count)
    if not count or not 1 <= targets <= MOST_TARGETS:
        raise BadModel(f"it has {count} nodes and {targets} targets or classes")
    if unknown := sorted(set(modes) - {*SPLIT_MODES, LEAF_MODE}):
        raise BadModel(
            f"it has nodes of the unknown mode {unknown[0][:40].decode(errors='replace')!r}"
        )
    is_leaf = np.fromiter(map(LEAF_MODE.__eq__, modes), bool, count)
    table = _Table(trees, nodes)
    branches = np.flatnonzero(~is_leaf)
    children = [
        table.rows(trees[branches], found.ints(f"nodes_{side}nodeids")[branches])
        for side in ("true", "false")
    ]
    _check_features(found, found.ints("nodes_featureids")[branches])
    both = np.stack(children, axis=1)
    roots = np.setdiff1d(branches, both)
    if _check_paths(branches, both, count, roots) > len(branches):
        raise BadModel("it has a branch below two others of its tree")
    _check_weights(found, kind, targets, table)


def _size(found: Attributes, one: TreeAttribute) -> int:
    """Count the values of a tensor, or of a list and its tensor twin."""
    if one.type == TENSOR:
        return found.size(one.name)
    return found.count(one.name) + (found.size(one.twin) if one.twin else 0)


def _equal_lengths(found: Attributes, per: Per, count: int) -> None:
    """Refuse lists of nodes or leaves of other lengths, among those that the operator must have."""
    for one in required(found.operator, per):
        size = _size(found, one)
        if size != count:
            raise BadModel(f"{one.name} should have {count} values, and has {size}")


def _check_tracks(found: Attributes, count: int) -> None:
    """Refuse a list of where missing values go that is neither empty nor one for each node."""
    name = "nodes_missing_value_tracks_true"
    tracks = found.count(name)
    if tracks not in {0, count}:
        raise BadModel(f"{name} should have {count} values, and has {tracks}")


def _classes(found: Attributes) -> int:
    counts = found.count("classlabels_int64s"), found.count("classlabels_strings")
    if all(counts):
        raise BadModel("it has both classlabels_int64s and classlabels_strings")
    return max(counts)


class _Table:
    """Rows of nodes by tree and node id."""

    def __init__(self, trees: Ints, nodes: Ints) -> None:
        # Trees 7, 7, 9 with nodes 0, 1, 0 have the keys 0, 1, 2 if the largest node id is 1:
        # tree number * 2 + node
        count = len(nodes)
        ids = np.concatenate([nodes, trees])
        if (nodes < 0).any() or (ids >= 2**31).any() or (ids < -(2**31)).any():
            raise BadModel("nodes_treeids and nodes_nodeids should be numbers of trees and nodes")
        self._names, numbers = np.unique(trees, return_inverse=True)
        self._width = int(nodes.max(initial=0)) + 1
        keys = numbers.reshape(-1) * self._width + nodes
        self._order = (
            None if count < 2 or (np.diff(keys) > 0).all() else np.argsort(keys, kind="stable")
        )
        self._keys = keys if self._order is None else keys[self._order]
        if (np.diff(self._keys) == 0).any():
            raise BadModel("it has a node twice")

    def rows(self, trees: Ints, nodes: Ints) -> Ints:
        """The rows of these nodes.

        Raises:
            BadModel: one does not exist.
        """
        numbers = np.minimum(np.searchsorted(self._names, trees), len(self._names) - 1)
        keys = numbers * self._width + nodes
        at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        stray = (
            (self._names[numbers] != trees)
            | (nodes < 0)
            | (nodes >= self._width)
            | (self._keys[at] != keys)
        )
        if stray.any():
            first = int(np.flatnonzero(stray)[0])
            raise BadModel(f"it has no node {nodes[first]} in tree {trees[first]}")
        return at if self._order is None else self._order[at]


def _check_features(found: Attributes, features: Ints) -> None:
    last = found.width - 1 if found.width else 2**31 - 1
    if ((features < 0) | (features > last)).any():
        raise BadModel(f"nodes_featureids should be between 0 and {last}")


def _check_weights(found: Attributes, kind: str, targets: int, table: _Table) -> None:
    ids = found.ints(f"{kind}_ids")
    _equal_lengths(found, Per.LEAF, len(ids))
    if ((ids < 0) | (ids >= targets)).any():
        raise BadModel(f"{kind}_ids should be between 0 and {targets - 1}")
    table.rows(found.ints(f"{kind}_treeids"), found.ints(f"{kind}_nodeids"))
    bases = found.count("base_values") + found.size("base_values_as_tensor")
    if bases not in {0, 1, targets}:
        raise BadModel(f"base_values should have {targets} values, and has {bases}")


def _check_paths(branches: Ints, children: Ints, count: int, roots: Ints) -> float:
    """Refuse circles, trees that are too deep, and branches that are reached in too many ways.

    Return the number of ways from roots to branches: that of the branches if trees share none.

    A runtime reads every tree from its root and copies the branches that trees share, so a small
    file could fill the memory.

    ``branches`` are the rows of branches among ``count`` rows, ``children`` (branches, 2) rows of
    theirs, ``roots`` the rows where trees begin.
    """
    position = np.full(count, -1)
    position[branches] = np.arange(len(branches))
    below = position[children]  # (branches, 2): which branch a child is, -1 for a leaf
    below[below[:, 0] == below[:, 1], 1] = -1  # a split with one child: it counts once
    unread = np.bincount(below[below >= 0], minlength=len(branches))  # parents not yet seen
    begins = position[roots]
    ways = np.bincount(begins[begins >= 0], minlength=len(branches)).astype(np.float64)
    level = np.flatnonzero(unread == 0)
    reached, levels = 0, 0
    while len(level):
        reached, levels = reached + len(level), levels + 1
        if levels > MOST_LEVELS:
            raise BadModel(f"it has a tree of more than {MOST_LEVELS} levels")
        child, parent = below[level].reshape(-1), np.repeat(level, 2)
        child, parent = child[child >= 0], parent[child >= 0]
        np.add.at(ways, child, ways[parent])
        np.subtract.at(unread, child, 1)
        level = np.unique(child[unread[child] == 0])
    if reached < len(branches):
        raise BadModel("its nodes lead in a circle")
    if ways.sum() > MOST_WAYS * len(branches) + MOST_WAYS:
        raise BadModel(f"its trees share branches more than {MOST_WAYS} times on average")
    return float(ways.sum())


def check_ensemble(found: Attributes) -> None:
    """Check a TreeEnsemble (ai.onnx.ml 5), whose nodes and leaves are rows of two tables.

    Raises:
        BadModel: lengths differ, an index leads nowhere, or nodes lead in a circle.
    """
    features, roots = found.ints("nodes_featureids"), found.ints("tree_roots")
    targets, leaves, count = (
        found.number("n_targets", 1),
        found.ints("leaf_targetids"),
        len(features),
    )
    if not 1 <= targets <= MOST_TARGETS or not len(leaves) or not count:
        raise BadModel(f"it has {count} nodes, {len(leaves)} leaves and {targets} targets")
    _equal_lengths(found, Per.NODE, count)
    _check_tracks(found, count)
    _equal_lengths(found, Per.LEAF, len(leaves))
    if ((leaves < 0) | (leaves >= targets)).any():
        raise BadModel(f"leaf_targetids should be between 0 and {targets - 1}")
    _check_features(found, features)
    if not len(roots) or ((roots < 0) | (roots >= count)).any():
        raise BadModel(f"tree_roots should be between 0 and {count - 1}")
    _check_members(found)
    sides = []
    for side in ("true", "false"):
        ids, flags = found.ints(f"nodes_{side}nodeids"), found.ints(f"nodes_{side}leafs")
        sides.append(_child_rows(ids, flags, count, len(leaves)))
    children = np.stack(sides, axis=1)
    _check_paths(np.arange(count), children, count + 1, roots)


def _child_rows(ids: Ints, is_leaf: Ints, nodes: int, leaves: int) -> Ints:
    """Children as rows of the nodes; leaves are the row behind the last."""
    if len(ids) != nodes or len(is_leaf) != nodes:
        raise BadModel(f"each of {nodes} nodes should have two children, given as whole numbers")
    limits = np.where(is_leaf != 0, leaves, nodes)
    if ((ids < 0) | (ids >= limits)).any():
        raise BadModel(f"a child should be one of {nodes} nodes or {leaves} leaves")
    return np.where(is_leaf != 0, nodes, ids)


def _check_members(found: Attributes) -> None:
    modes, members = found.tensor("nodes_modes"), found.tensor("membership_values")
    if modes.dtype != np.uint8 or (modes > MEMBER_MODE).any():
        raise BadModel(f"nodes_modes should be numbers of uint8 between 0 and {MEMBER_MODE}")
    sets = int(np.isnan(members).sum()) if members.dtype.kind == "f" else 0
    wanted = int((modes == MEMBER_MODE).sum())
    if sets != wanted or (len(members) and not np.isnan(members[-1])):
        raise BadModel(
            f"membership_values should be {wanted} sets that end with NaN, and are {sets}"
        )
