"""Portable writer: a Forest becomes TreeEnsembleClassifier or TreeEnsembleRegressor (ai.onnx.ml 1 and 3)."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from onnxpress.graph.trees.attributes import floats, integer, ints, strings, text
from onnxpress.graph.trees.forest import Forest, Mode
from onnxpress.graph.trees.reader import LEAF, MODES, Untreatable


def portable(
    forest: Forest, node: onnx.NodeProto, graph: onnx.GraphProto, *, shared: bool = False
) -> None:
    """Adds to ``graph`` a TreeEnsembleClassifier or TreeEnsembleRegressor with the inputs and outputs of ``node``.

    Version 1 of ai.onnx.ml is enough for float32 trees; thresholds and weights beyond float32 need version 3.

    Leaves are nodes again, one for each branch that ends in them; with ``shared``, for forests that came so, one for
    all branches within a tree. Hit rates and all-zero missing flags are left out.
    """
    if forest.binary == "margin" and not (forest.leaf_weight < 0).any():
        raise Untreatable("margins without a negative leaf would be read as probabilities")
    if (forest.mode == Mode.MEMBER).any():
        raise Untreatable("a split on a set of values has no form before ai.onnx.ml 5")
    op_type, kind = (
        ("TreeEnsembleRegressor", "target")
        if forest.labels is None
        else ("TreeEnsembleClassifier", "class")
    )
    result = graph.node.add(
        op_type=op_type, domain="ai.onnx.ml", input=node.input, output=node.output, name=node.name
    )
    layout = Layout(forest, shared=shared)
    floats(result, "base_values", forest.base_values)
    ints(result, f"{kind}_ids", forest.leaf_target[layout.entries])
    ints(result, f"{kind}_nodeids", np.repeat(layout.node[layout.leaf_at], layout.count))
    ints(result, f"{kind}_treeids", np.repeat(layout.tree[layout.leaf_at], layout.count))
    floats(result, f"{kind}_weights", forest.leaf_weight[layout.entries])
    if forest.labels is not None:
        name = "classlabels_strings" if isinstance(forest.labels, tuple) else "classlabels_int64s"
        result.attribute.append(helper.make_attribute(name, list(forest.labels)))
    else:
        integer(result, "n_targets", forest.n_targets)
        if forest.aggregate != "SUM":
            text(result, "aggregate_function", forest.aggregate)
    ints(result, "nodes_falsenodeids", layout.false_child)
    ints(result, "nodes_featureids", layout.of_splits(forest.feature))
    if forest.missing_true.any():
        ints(result, "nodes_missing_value_tracks_true", layout.of_splits(forest.missing_true))
    names = {int(code): name for name, code in MODES.items()}
    modes = layout.of_splits(forest.mode, fill=LEAF)
    strings(result, "nodes_modes", map(names.__getitem__, modes.tolist()))
    ints(result, "nodes_nodeids", layout.node)
    ints(result, "nodes_treeids", layout.tree)
    ints(result, "nodes_truenodeids", layout.true_child)
    floats(result, "nodes_values", layout.of_splits(forest.threshold))
    if forest.post_transform != "NONE":
        text(result, "post_transform", forest.post_transform)


class Layout:
    """Numbers of splits and leaves as nodes: tree by tree, in each its root, its other splits, its leaves."""

    def __init__(self, forest: Forest, *, shared: bool) -> None:
        """Sorts splits and leaves by tree and kind; a leaf is one node, or one for each branch if ``shared`` is off."""
        children = (forest.true_child, forest.false_child, forest.roots)
        at = [np.flatnonzero(child < 0) for child in children]
        owner = forest.tree_of_split
        leaf = ~np.concatenate([child[index] for child, index in zip(children, at, strict=True)])
        leaf_tree = np.concatenate([owner[at[0]], owner[at[1]], at[2]])
        _, first, node_of_branch = np.unique(
            leaf if shared else np.arange(len(leaf)), return_index=True, return_inverse=True
        )
        leaf, trees = leaf[first], np.concatenate([owner, leaf_tree[first]])
        rank = np.full(len(trees), 2, np.int8)
        rank[: forest.n_splits] = 1
        rank[forest.roots[forest.roots >= 0]] = 0
        order = np.lexsort((rank, trees))
        position = np.empty_like(order)
        position[order] = np.arange(len(order))
        self.tree = trees[order]
        self.node = (
            np.arange(len(order)) - np.searchsorted(self.tree, np.arange(forest.n_trees))[self.tree]
        )
        self.split_at, self.leaf_at = position[: forest.n_splits], position[forest.n_splits :]
        true_leaf_at, false_leaf_at, _ = np.split(
            self.leaf_at[node_of_branch], [len(at[0]), len(at[0]) + len(at[1])]
        )
        self.true_child = self._ids(forest.true_child, at[0], true_leaf_at)
        self.false_child = self._ids(forest.false_child, at[1], false_leaf_at)
        self.count = np.diff(forest.leaf_offset)[leaf]
        before = np.cumsum(self.count) - self.count
        self.entries = np.arange(self.count.sum()) + np.repeat(
            forest.leaf_offset[leaf] - before, self.count
        )

    def _ids(self, child: NDArray[Any], at: NDArray[Any], leaf_at: NDArray[Any]) -> NDArray[Any]:
        """Node ids of one side's children, (nodes,), 0 at the leaves."""
        target = self.split_at[np.maximum(child, 0)]
        target[at] = leaf_at
        return self.of_splits(self.node[target])

    def of_splits(self, values: NDArray[Any], fill: float = 0) -> NDArray[Any]:
        """``values`` (splits,) spread over all nodes, (nodes,), with ``fill`` at the leaves."""
        result = np.full(len(self.node), fill, values.dtype)
        result[self.split_at] = values
        return result
