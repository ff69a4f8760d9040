"""Reader: a tree node of an ONNX graph becomes a Forest.

Covers TreeEnsembleClassifier and TreeEnsembleRegressor (ai.onnx.ml 1 and 3) and TreeEnsemble (5). Where the
specification is silent the meaning is what onnxruntime computes (``tree_ensemble_common.h``, ``..._aggregator.h``).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
from numpy.typing import DTypeLike, NDArray

from onnxpress.graph.trees.attributes import TreeAttributes
from onnxpress.graph.trees.forest import Floats, Forest, Mode
from onnxpress.onnx_file.tree_attributes import LEAF_MODE, SPLIT_MODES, TREE_OPERATORS

TREE_OPS = frozenset(TREE_OPERATORS)

LEAF = 255
MODES = {name: int(Mode(number)) for number, name in enumerate(SPLIT_MODES)} | {LEAF_MODE: LEAF}
AGGREGATES = ("AVERAGE", "SUM", "MIN", "MAX")  # in the order of the ai.onnx.ml 5 enumeration


class Untreatable(Exception):
    """A tree node that this package leaves alone; the message says why."""


def is_tree(node: onnx.NodeProto) -> bool:
    """Whether ``node`` is one of the tree operators of ai.onnx.ml."""
    return node.domain == "ai.onnx.ml" and node.op_type in TREE_OPS


def read(node: onnx.NodeProto, dtype: DTypeLike = np.float32) -> Forest:
    """The Forest of a tree node whose input is compared in ``dtype`` (float64 for a double input, else float32).

    Raises Untreatable for a node that contradicts itself or that runtimes do not agree on.
    """
    attributes = TreeAttributes(node, np.dtype(dtype))
    return (
        _read_version_5(attributes)
        if node.op_type == "TreeEnsemble"
        else _read_version_3(attributes)
    )


def _read_version_3(attributes: TreeAttributes) -> Forest:
    """TreeEnsembleClassifier and TreeEnsembleRegressor: nodes of both kinds, found by (tree id, node id)."""
    mode, tree = _modes(attributes.node), attributes.ints("nodes_treeids")
    if not len(tree) or len(mode) != len(tree):
        raise Untreatable(f"the node lists {len(tree)} tree ids and {len(mode)} modes")
    lookup = Lookup(tree, attributes.ints("nodes_nodeids"))
    leaf = mode == LEAF
    split = np.flatnonzero(~leaf)
    code = np.where(leaf, -np.cumsum(leaf), np.cumsum(~leaf) - 1).astype(
        np.int32
    )  # -cumsum is ~(cumsum - 1)
    first = np.flatnonzero(np.r_[True, tree[1:] != tree[:-1]])
    if len(first) != len(np.unique(tree[first])):
        raise Untreatable("the nodes of a tree are not listed together")
    missing = attributes.ints("nodes_missing_value_tracks_true")
    leaves = _leaves(attributes, lookup, leaf)
    return _as_classifier(
        attributes,
        Forest(
            feature=attributes.ints("nodes_featureids")[split].astype(np.int32),
            threshold=attributes.floats("nodes_values")[split],
            mode=mode[split],
            missing_true=missing[split] == 1 if len(missing) else np.zeros(len(split), np.bool_),
            true_child=code[lookup.find(tree[split], attributes.ints("nodes_truenodeids")[split])],
            false_child=code[
                lookup.find(tree[split], attributes.ints("nodes_falsenodeids")[split])
            ],
            roots=code[first],
            leaf_offset=leaves[0],
            leaf_target=leaves[1],
            leaf_weight=leaves[2],
            n_targets=attributes.integer("n_targets", 1),
            aggregate=attributes.text("aggregate_function", "SUM"),
            post_transform=attributes.text("post_transform", "NONE"),
            base_values=attributes.floats("base_values"),
        ),
    )


def _modes(node: onnx.NodeProto) -> NDArray[np.uint8]:
    """``nodes_modes`` of versions 1 and 3, (nodes,) with LEAF for leaves."""
    names = next(
        (attribute.strings for attribute in node.attribute if attribute.name == "nodes_modes"), ()
    )
    try:
        return np.fromiter(map(MODES.__getitem__, names), np.uint8, len(names))
    except KeyError as unknown:
        raise Untreatable(f"split mode {unknown} is not one of the specification") from None


class Lookup:
    """Positions of nodes by (tree id, node id)."""

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
    """Leaf weights as (offset, target, weight); weights listed for splits are dropped, as onnxruntime does."""
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
    offset = np.zeros(int(leaf.sum()) + 1, np.int32)
    np.cumsum(np.bincount(owner, minlength=len(offset) - 1), out=offset[1:])
    repeated = (owner[1:] == owner[:-1]) & (target[1:] == target[:-1])
    if repeated.any() or (np.diff(offset) == 0).any():
        raise Untreatable("a leaf has no weight, or two for one target")
    return offset, target, weight


def _as_classifier(attributes: TreeAttributes, forest: Forest) -> Forest:
    """Adds class labels; two classes scored by class 0 alone become one target with its rule.

    onnxruntime reads a single target by the signs of the weights: all >= 0 means probabilities, else margins. A
    regressor's base values count only where there is one per target; a classifier's may be fewer than its classes.
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
    """TreeEnsemble: splits and leaves are already apart. The two numberings of its post-transforms differ: NONE only."""
    if attributes.integer("post_transform", 0) != 0:
        raise Untreatable(
            "TreeEnsemble (5) with a post-transform: onnxruntime and the specification number them apart"
        )
    mode, roots = attributes.tensor("nodes_modes").astype(np.uint8), attributes.ints("tree_roots")
    children = {}
    for side in ("true", "false"):
        child = attributes.ints(f"nodes_{side}nodeids").astype(np.int32)
        children[side] = np.where(attributes.ints(f"nodes_{side}leafs") != 0, ~child, child)
    if (
        attributes.ints("nodes_truenodeids")[roots] == attributes.ints("nodes_falsenodeids")[roots]
    ).any():
        raise Untreatable(
            "TreeEnsemble (5) with a tree of one leaf: onnxruntime and the specification read it apart"
        )
    threshold = attributes.tensor("nodes_splits").astype(attributes.dtype)
    members = attributes.tensor("membership_values")
    threshold[mode == Mode.MEMBER] = np.arange(int((mode == Mode.MEMBER).sum()))
    missing = attributes.ints("nodes_missing_value_tracks_true")
    return Forest(
        feature=attributes.ints("nodes_featureids").astype(np.int32),
        threshold=threshold,
        mode=mode,
        missing_true=missing != 0 if len(missing) else np.zeros(len(mode), np.bool_),
        true_child=children["true"],
        false_child=children["false"],
        roots=roots.astype(np.int32),
        leaf_offset=np.arange(len(attributes.ints("leaf_targetids")) + 1, dtype=np.int32),
        leaf_target=attributes.ints("leaf_targetids").astype(np.int32),
        leaf_weight=attributes.tensor("leaf_weights").astype(attributes.dtype),
        n_targets=attributes.integer("n_targets", 1),
        aggregate=AGGREGATES[attributes.integer("aggregate_function", 1)],
        base_values=np.zeros(0, attributes.dtype),
        member_sets=tuple(
            part[~np.isnan(part)]
            for part in np.split(members, np.flatnonzero(np.isnan(members)) + 1)
        ),
    )
