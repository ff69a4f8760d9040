"""Portable writer: a Forest becomes a TreeEnsembleClassifier or TreeEnsembleRegressor.

These are the operators of ai.onnx.ml 1 and 3, which version 5 withdrew.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from onnxpress.graph.trees.attributes import floats, integer, ints, strings, text
from onnxpress.graph.trees.forest import Forest, Mode
from onnxpress.graph.trees.reader import LEAF, MODES, Untreatable
from onnxpress.graph.writer import ML_DOMAIN
from onnxpress.quantize.forest.lossless.leaves import taken_entries


def portable(
    forest: Forest, node: onnx.NodeProto, graph: onnx.GraphProto, *, shared: bool = False
) -> None:
    """Add the operator to ``graph``, with the inputs, outputs and name of ``node``.

    Version 1 of ai.onnx.ml is enough for float32 trees; thresholds and weights beyond float32 need
    version 3. Leaves are nodes again, one for each branch that ends in them. With ``shared``, for
    forests that came so, one for all branches within a tree. Hit rates and all-zero missing flags
    are left out.

    Raises:
        Untreatable: these operators cannot say what the forest does.
    """
    _refuse_without_form(forest)
    op_type, kind = _operator(forest)
    result = graph.node.add(
        op_type=op_type, domain=ML_DOMAIN, input=node.input, output=node.output, name=node.name
    )
    layout = Layout(forest, shared=shared)
    floats(result, "base_values", forest.base_values)
    ints(result, f"{kind}_ids", forest.leaf_target[layout.entries])
    ints(result, f"{kind}_nodeids", np.repeat(layout.node[layout.leaf_at], layout.count))
    ints(result, f"{kind}_treeids", np.repeat(layout.tree[layout.leaf_at], layout.count))
    floats(result, f"{kind}_weights", forest.leaf_weight[layout.entries])
    _add_outputs(forest, result)
    _add_nodes(forest, layout, result)
    if forest.post_transform != "NONE":
        text(result, "post_transform", forest.post_transform)


def _refuse_without_form(forest: Forest) -> None:
    if forest.binary == "margin" and not (forest.leaf_weight < 0).any():
        raise Untreatable("margins without a negative leaf would be read as probabilities")
    if (forest.mode == Mode.MEMBER).any():
        raise Untreatable("a split on a set of values has no form before ai.onnx.ml 5")


def _operator(forest: Forest) -> tuple[str, str]:
    """The operator, and how its attributes about leaves start."""
    if forest.labels is None:
        return "TreeEnsembleRegressor", "target"
    return "TreeEnsembleClassifier", "class"


def _add_outputs(forest: Forest, result: onnx.NodeProto) -> None:
    """Class labels, or the number of targets and how trees are aggregated."""
    if forest.labels is not None:
        name = "classlabels_strings" if isinstance(forest.labels, tuple) else "classlabels_int64s"
        result.attribute.append(helper.make_attribute(name, list(forest.labels)))
        return
    integer(result, "n_targets", forest.n_targets)
    if forest.aggregate != "SUM":
        text(result, "aggregate_function", forest.aggregate)


def _add_nodes(forest: Forest, layout: Layout, result: onnx.NodeProto) -> None:
    """The arrays over all nodes."""
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


class Layout:
    r"""Numbers of splits and leaves as nodes: each tree's root, its other splits, its leaves.

    Two trees of three splits, 0 to 2, and three leaves, a to c. Leaf a ends two branches of tree 0,
    so it becomes two nodes there; leaf b ends branches of both trees:

            tree 0        tree 1      split        0  1  2    roots  0, 2
              0             2         true child   a  b  b
             / \            / \       false child  1  a  c
            a   1          b   c
               / \
              b   a

    The nodes, in their order, and what is written about them:

        split or leaf  0  1  a  b  a  2  b  c
        tree           0  0  0  0  0  1  1  1
        node           0  1  2  3  4  0  1  2
        true child     2  3  0  0  0  1  0  0
        false child    1  4  0  0  0  2  0  0
    """

    def __init__(self, forest: Forest, *, shared: bool) -> None:
        """Sort splits and leaves by tree and kind.

        A leaf is one node for each branch, or one for each tree if ``shared``.
        """
        children = (forest.true_child, forest.false_child, forest.roots)
        at = [np.flatnonzero(child < 0) for child in children]
        owner = forest.tree_of_split
        leaf = ~np.concatenate([child[index] for child, index in zip(children, at, strict=True)])
        leaf_tree = np.concatenate([owner[at[0]], owner[at[1]], at[2]])
        _, first, node_of_branch = np.unique(
            leaf if shared else np.arange(len(leaf)), return_index=True, return_inverse=True
        )
        leaf, trees = leaf[first], np.concatenate([owner, leaf_tree[first]])
        order = np.lexsort((_ranks(forest, len(trees)), trees))
        position = np.empty_like(order)
        position[order] = np.arange(len(order))
        self.tree = trees[order]
        start = np.searchsorted(self.tree, np.arange(forest.n_trees))
        self.node = np.arange(len(order)) - start[self.tree]
        self.split_at, self.leaf_at = position[: forest.n_splits], position[forest.n_splits :]
        true_leaf_at, false_leaf_at, _ = np.split(
            self.leaf_at[node_of_branch], [len(at[0]), len(at[0]) + len(at[1])]
        )
        self.true_child = self._ids(forest.true_child, at[0], true_leaf_at)
        self.false_child = self._ids(forest.false_child, at[1], false_leaf_at)
        self.count = np.diff(forest.leaf_offset)[leaf]
        _, self.entries = taken_entries(forest.leaf_offset, leaf)

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


def _ranks(forest: Forest, nodes: int) -> NDArray[np.int8]:
    """How nodes of one tree are sorted, splits first: 0 for a root, 1 for a split, 2 for a leaf."""
    rank = np.full(nodes, 2, np.int8)
    rank[: forest.n_splits] = 1
    rank[forest.roots[forest.roots >= 0]] = 0
    return rank
