"""Reader: a tree node of an ONNX graph becomes a Forest.

Covers TreeEnsembleClassifier and TreeEnsembleRegressor (ai.onnx.ml 1 and 3) and TreeEnsemble (5).
Where the specification is silent, the meaning is what onnxruntime computes
(``tree_ensemble_common.h``, ``tree_ensemble_aggregator.h``).

Source: https://onnx.ai/onnx/operators/#ai-onnx-ml
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import DTypeLike, NDArray

from onnxpress.graph.trees.attributes import TreeAttributes
from onnxpress.graph.trees.forest import Floats, Forest, Mode
from onnxpress.graph.writer import ML_DOMAIN
from onnxpress.onnx_file.tree_attributes import LEAF_MODE, SPLIT_MODES, TREE_OPERATORS

TREE_OPS = frozenset(TREE_OPERATORS)

LEAF = 255
MODES = {name: int(Mode(number)) for number, name in enumerate(SPLIT_MODES)} | {LEAF_MODE: LEAF}
AGGREGATES = ("AVERAGE", "SUM", "MIN", "MAX")  # in the order of the ai.onnx.ml 5 enumeration


class Untreatable(Exception):
    """A tree node that this package leaves alone; the message says why."""


def is_tree(node: onnx.NodeProto) -> bool:
    """Whether ``node`` is one of the tree operators of ai.onnx.ml."""
    return node.domain == ML_DOMAIN and node.op_type in TREE_OPS


def read(node: onnx.NodeProto, dtype: DTypeLike = np.float32) -> Forest:
    """The Forest of a tree node.

    Its input is compared in ``dtype``: float64 for a double input, else float32.

    Raises:
        Untreatable: the node contradicts itself, or runtimes do not agree on it.
    """
    attributes = TreeAttributes(node, np.dtype(dtype))
    if node.op_type == "TreeEnsemble":
        return _read_version_5(attributes)
    return _read_version_3(attributes)


def _read_version_3(attributes: TreeAttributes) -> Forest:
    """TreeEnsembleClassifier and TreeEnsembleRegressor.

    They list splits and leaves together, and name them by tree id and node id.
    """
    mode, tree = _modes(attributes.node), attributes.ints("nodes_treeids")
    if not len(tree) or len(mode) != len(tree):
        raise Untreatable(f"the node lists {len(tree)} tree ids and {len(mode)} modes")
    lookup = Lookup(tree, attributes.ints("nodes_nodeids"))
    leaf = mode == LEAF
    split = np.flatnonzero(~leaf)
    code = _codes(leaf)
    first = np.flatnonzero(np.r_[True, tree[1:] != tree[:-1]])
    if len(first) != len(np.unique(tree[first])):
        raise Untreatable("the nodes of a tree are not listed together")
    missing = attributes.ints("nodes_missing_value_tracks_true")
    leaves = _leaves(attributes, lookup, leaf)
    true_child, false_child = (
        code[lookup.find(tree[split], attributes.ints(name)[split])]
        for name in ("nodes_truenodeids", "nodes_falsenodeids")
    )
    forest = Forest(
        feature=attributes.ints("nodes_featureids")[split].astype(np.int32),
        threshold=attributes.floats("nodes_values")[split],
        mode=mode[split],
        missing_true=missing[split] == 1 if len(missing) else np.zeros(len(split), np.bool_),
        true_child=true_child,
        false_child=false_child,
        roots=code[first],
        leaf_offset=leaves[0],
        leaf_target=leaves[1],
        leaf_weight=leaves[2],
        n_targets=attributes.integer("n_targets", 1),
        aggregate=attributes.text("aggregate_function", "SUM"),
        post_transform=attributes.text("post_transform", "NONE"),
        base_values=attributes.floats("base_values"),
    )
    return _as_classifier(attributes, forest)


def _codes(leaf: NDArray[np.bool_]) -> NDArray[np.int32]:
    """How a child or a root refers to each node, (nodes,): the split's number, or ~ the leaf's.

    Of five nodes two are splits. A leaf's code is ~(number of leaves before it), which is minus the
    number of leaves up to it:

    >>> _codes(np.array([False, True, False, True, True])).tolist()
    [0, -1, 1, -2, -3]
    """
    leaves: NDArray[np.int64] = np.cumsum(leaf)
    splits: NDArray[np.int64] = np.cumsum(~leaf)
    return np.where(leaf, -leaves, splits - 1).astype(np.int32)


def _modes(node: onnx.NodeProto) -> NDArray[np.uint8]:
    """``nodes_modes`` of versions 1 and 3, (nodes,) with LEAF for leaves."""
    found = (attribute.strings for attribute in node.attribute if attribute.name == "nodes_modes")
    names = next(found, ())
    try:
        return np.fromiter(map(MODES.__getitem__, names), np.uint8, len(names))
    except KeyError as unknown:
        raise Untreatable(f"split mode {unknown} is not one of the specification") from None


class Lookup:
    """Positions of nodes by (tree id, node id).

    Three nodes, listed out of order. Each pair is one key, ``tree << 32 | node``:

    >>> lookup = Lookup(tree=np.array([0, 1, 0]), node=np.array([1, 0, 0]))
    >>> lookup.find(np.array([0, 0, 1]), np.array([0, 1, 0])).tolist()
    [2, 0, 1]
    """

    def __init__(self, tree: NDArray[np.int64], node: NDArray[np.int64]) -> None:
        """Sorts the keys of all nodes unless they are sorted already, as converters leave them."""
        if len(node) != len(tree) or (node < 0).any() or (node >> 31).any() or (tree >> 31).any():
            raise Untreatable("node ids are negative, missing or beyond 2^31")
        keys = (tree << 32) + node
        self.order = None if (keys[1:] > keys[:-1]).all() else np.argsort(keys, kind="stable")
        self.keys = keys if self.order is None else keys[self.order]
        if (self.keys[1:] == self.keys[:-1]).any():
            raise Untreatable("two nodes have the same tree id and node id")

    def find(self, tree: NDArray[np.int64], node: NDArray[np.int64]) -> NDArray[np.int64]:
        """Position of each (tree, node) pair in the node lists, (n,)."""
        keys = (tree << 32) + node
        found = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        if (self.keys[found] != keys).any():
            raise Untreatable("a split or a leaf weight refers to a node that does not exist")
        return found if self.order is None else self.order[found]


def _leaves(
    attributes: TreeAttributes, lookup: Lookup, leaf: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], NDArray[np.int32], Floats]:
    """Leaf weights as (offset, target, weight), as in :class:`Forest`.

    Weights listed for splits are dropped, as onnxruntime does.
    """
    kind = "class" if attributes.node.op_type == "TreeEnsembleClassifier" else "target"
    position = lookup.find(attributes.ints(f"{kind}_treeids"), attributes.ints(f"{kind}_nodeids"))
    target = attributes.ints(f"{kind}_ids").astype(np.int32)
    weight = attributes.floats(f"{kind}_weights")
    owner = (np.cumsum(leaf) - 1)[position]
    if not leaf[position].all():
        kept = leaf[position]
        owner, target, weight = owner[kept], target[kept], weight[kept]
    if (owner[1:] < owner[:-1]).any():
        order = np.argsort(owner, kind="stable")
        owner, target, weight = owner[order], target[order], weight[order]
    # Entries owned by the leaves [0, 0, 1] of two have the counts [2, 1] and the offsets [0, 2, 3].
    offset = np.zeros(int(leaf.sum()) + 1, np.int32)
    np.cumsum(np.bincount(owner, minlength=len(offset) - 1), out=offset[1:])
    repeated = (owner[1:] == owner[:-1]) & (target[1:] == target[:-1])
    if repeated.any() or (np.diff(offset) == 0).any():
        raise Untreatable("a leaf has no weight, or two for one target")
    return offset, target, weight


def _as_classifier(attributes: TreeAttributes, forest: Forest) -> Forest:
    """Add class labels; two classes scored by class 0 alone become one target with its rule.

    onnxruntime reads a single target by the signs of the weights: all >= 0 means probabilities,
    else margins. A regressor's base values count only where there is one per target; a classifier's
    may be fewer than its classes.
    """
    if attributes.node.op_type != "TreeEnsembleClassifier":
        used = len(forest.base_values) == forest.n_targets
        return forest if used else replace(forest, base_values=forest.base_values[:0])
    labels = attributes.labels
    forest = replace(forest, labels=labels, n_targets=len(labels), aggregate="SUM")
    if len(labels) == 2 and not forest.leaf_target.any() and len(forest.base_values) < 2:
        rule = "margin" if (forest.leaf_weight < 0).any() else "probability"
        return replace(forest, n_targets=1, binary=rule)
    return forest


def _read_version_5(attributes: TreeAttributes) -> Forest:
    """TreeEnsemble, which lists splits and leaves apart."""
    if attributes.integer("post_transform", 0) != 0:
        apart = "onnxruntime and the specification number them apart"
        raise Untreatable(f"TreeEnsemble (5) with a post-transform: {apart}")
    mode, roots = attributes.tensor("nodes_modes").astype(np.uint8), attributes.ints("tree_roots")
    true_child, false_child = _children(attributes, "true"), _children(attributes, "false")
    threshold = attributes.tensor("nodes_splits").astype(attributes.dtype)
    member = mode == Mode.MEMBER
    threshold[member] = np.arange(int(member.sum()))
    missing = attributes.ints("nodes_missing_value_tracks_true")
    return Forest(
        feature=attributes.ints("nodes_featureids").astype(np.int32),
        threshold=threshold,
        mode=mode,
        missing_true=missing != 0 if len(missing) else np.zeros(len(mode), np.bool_),
        true_child=true_child,
        false_child=false_child,
        roots=roots.astype(np.int32),
        leaf_offset=np.arange(len(attributes.ints("leaf_targetids")) + 1, dtype=np.int32),
        leaf_target=attributes.ints("leaf_targetids").astype(np.int32),
        leaf_weight=attributes.tensor("leaf_weights").astype(attributes.dtype),
        n_targets=attributes.integer("n_targets", 1),
        aggregate=AGGREGATES[attributes.integer("aggregate_function", 1)],
        base_values=np.zeros(0, attributes.dtype),
        member_sets=_member_sets(attributes.tensor("membership_values")),
    )


def _children(attributes: TreeAttributes, side: str) -> NDArray[np.int32]:
    """One side's child of each split, (splits,): a split, or ~leaf."""
    child = attributes.ints(f"nodes_{side}nodeids").astype(np.int32)
    return np.where(attributes.ints(f"nodes_{side}leafs") != 0, ~child, child)


def _member_sets(values: NDArray[Any]) -> tuple[Floats, ...]:
    """The sets of the MEMBER splits, each closed by a NaN, and an empty one at the end.

    >>> [part.tolist() for part in _member_sets(np.float32([2, 5, np.nan, 7, np.nan]))]
    [[2.0, 5.0], [7.0], []]
    """
    parts = np.split(values, np.flatnonzero(np.isnan(values)) + 1)
    return tuple(part[~np.isnan(part)] for part in parts)
