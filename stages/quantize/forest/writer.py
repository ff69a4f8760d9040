"""Writer: a Forest becomes one tree node, TreeEnsemble (ai.onnx.ml 5) or its portable predecessors (1 and 3)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from stages.quantize.forest.forest import Floats, Forest, Mode
from stages.quantize.forest.passes import renumber_leaves
from stages.quantize.forest.reader import AGGREGATES, MODES

CHUNK = 1 << 20  # elements handed to protobuf at once: bounds the memory of Python integers


def tree_ensemble(forest: Forest, x: str, scores: str) -> onnx.NodeProto:
    """TreeEnsemble (5) from ``x`` (rows, features) to raw scores (rows, n_targets), in the forest's dtype.

    Every leaf must have exactly one entry. Base values, labels and post-transforms are not this operator's: its two
    implementations number the post-transforms differently, and it has no base values.
    """
    forest = separate_roots(forest)
    node = onnx.NodeProto(op_type="TreeEnsemble", domain="ai.onnx.ml", input=[x], output=[scores])
    ints(node, "leaf_targetids", forest.leaf_target)
    tensor(node, "leaf_weights", forest.leaf_weight)
    integer(node, "n_targets", forest.n_targets)
    ints(node, "nodes_featureids", forest.feature)
    tensor(node, "nodes_modes", forest.mode)
    member = forest.mode == Mode.MEMBER
    tensor(node, "nodes_splits", np.where(member, 0, forest.threshold).astype(forest.threshold.dtype, copy=False))
    for side, child in (("true", forest.true_child), ("false", forest.false_child)):
        leaf = child < 0
        ints(node, f"nodes_{side}leafs", leaf)
        ints(node, f"nodes_{side}nodeids", np.where(leaf, ~child, child))
    if forest.missing_true.any():
        ints(node, "nodes_missing_value_tracks_true", forest.missing_true)
    if member.any():
        tensor(node, "membership_values", _membership(forest, member))
    ints(node, "tree_roots", forest.roots)
    if forest.aggregate != "SUM":
        integer(node, "aggregate_function", AGGREGATES.index(forest.aggregate))
    return node


def separate_roots(forest: Forest) -> Forest:
    """Makes every root a split whose two children have different numbers.

    onnxruntime takes a root whose true and false ids are equal for a single leaf, whatever kind they are. So a tree of
    one leaf becomes a split between two copies of it, and a root at risk gets a copy of its leaf at a free number.
    """
    single = np.flatnonzero(forest.roots < 0)
    if len(single):
        forest = _add_stumps(forest, single)
    roots = forest.roots
    true_child, false_child = forest.true_child[roots], forest.false_child[roots]
    number = [np.where(child < 0, ~child, child) for child in (true_child, false_child)]
    risky = roots[number[0] == number[1]]
    for root in risky:
        forest = _copy_leaf(forest, int(root))
    return forest


def _add_stumps(forest: Forest, trees: NDArray[np.intp]) -> Forest:
    """The single-leaf ``trees`` as splits on feature 0 with the same leaf on both sides."""
    n, n_splits = len(trees), forest.n_splits
    roots = forest.roots.copy()
    leaf = roots[trees]
    roots[trees] = n_splits + np.arange(n)
    extra = {"feature": 0, "threshold": 0, "mode": int(Mode.LEQ), "missing_true": False}
    grown = {
        name: np.concatenate([getattr(forest, name), np.full(n, value, getattr(forest, name).dtype)])
        for name, value in extra.items()
    }
    return replace(
        forest,
        **grown,
        true_child=np.concatenate([forest.true_child, leaf]),
        false_child=np.concatenate([forest.false_child, leaf]),
        roots=roots,
    )


def _copy_leaf(forest: Forest, root: int) -> Forest:
    """Leaf copies at the end until one has a number that differs from the other child's of ``root``."""
    true_child, false_child = int(forest.true_child[root]), int(forest.false_child[root])
    leaf, other = (~true_child, false_child) if true_child < 0 else (~false_child, true_child)
    other = ~other if other < 0 else other
    copies = 2 if other == forest.n_leaves else 1
    source = np.concatenate([np.arange(forest.n_leaves), np.full(copies, leaf)]).astype(np.int32)
    grown = renumber_leaves(forest, np.arange(forest.n_leaves, dtype=np.int32), source)
    side = "true_child" if true_child < 0 else "false_child"
    child = getattr(grown, side).copy()
    child[root] = ~(grown.n_leaves - 1)
    return replace(grown, **{side: child})


def _membership(forest: Forest, member: NDArray[np.bool_]) -> Floats:
    """The sets of the MEMBER splits in split order, each closed by a NaN."""
    sets = [forest.member_sets[int(position)] for position in forest.threshold[member]]
    parts = [part for members in sets for part in (members, [np.nan])]
    return np.concatenate(parts).astype(forest.threshold.dtype)


def portable(forest: Forest, node: onnx.NodeProto) -> onnx.NodeProto:
    """TreeEnsembleClassifier or TreeEnsembleRegressor (ai.onnx.ml 1; 3 for float64) with the signature of ``node``.

    Leaves are nodes again, one per branch that ends in them; hit rates and all-zero missing flags are left out.
    """
    classifier = forest.labels is not None
    op_type = "TreeEnsembleClassifier" if classifier else "TreeEnsembleRegressor"
    result = onnx.NodeProto(op_type=op_type, domain="ai.onnx.ml", input=node.input, output=node.output, name=node.name)
    layout = _Layout(forest)
    kind = "class" if classifier else "target"
    floats(result, "base_values", forest.base_values)
    leaf_entries = layout.entries()
    ints(result, f"{kind}_ids", forest.leaf_target[leaf_entries])
    ints(result, f"{kind}_nodeids", np.repeat(layout.node[layout.leaf_at], layout.count))
    ints(result, f"{kind}_treeids", np.repeat(layout.tree[layout.leaf_at], layout.count))
    floats(result, f"{kind}_weights", forest.leaf_weight[leaf_entries])
    if classifier:
        name = "classlabels_strings" if isinstance(forest.labels, tuple) else "classlabels_int64s"
        result.attribute.append(helper.make_attribute(name, list(forest.labels)))
    else:
        integer(result, "n_targets", forest.n_targets)
        if forest.aggregate != "SUM":
            text(result, "aggregate_function", forest.aggregate)
    ints(result, "nodes_falsenodeids", layout.of_splits(layout.child(forest.false_child)))
    ints(result, "nodes_featureids", layout.of_splits(forest.feature))
    if forest.missing_true.any():
        ints(result, "nodes_missing_value_tracks_true", layout.of_splits(forest.missing_true))
    names = {int(code): name for name, code in MODES.items()}
    modes = layout.of_splits(forest.mode, fill=MODES[b"LEAF"])
    strings(result, "nodes_modes", map(names.__getitem__, modes.tolist()))
    ints(result, "nodes_nodeids", layout.node)
    ints(result, "nodes_treeids", layout.tree)
    ints(result, "nodes_truenodeids", layout.of_splits(layout.child(forest.true_child)))
    floats(result, "nodes_values", layout.of_splits(forest.threshold))
    if forest.post_transform != "NONE":
        text(result, "post_transform", forest.post_transform)
    return result


class _Layout:
    """Numbers of splits and leaf branches as nodes: tree by tree, splits first (the root is node 0), then leaves."""

    def __init__(self, forest: Forest) -> None:
        self.forest = forest
        sides = (forest.true_child, forest.false_child)
        parent = [np.flatnonzero(side < 0) for side in sides]
        single = np.flatnonzero(forest.roots < 0)
        owner = forest.tree_of_split
        trees = np.concatenate([owner, *(owner[index] for index in parent), single])
        self.leaf = ~np.concatenate([*(side[index] for side, index in zip(sides, parent, strict=True)), forest.roots[single]])
        first = np.ones(forest.n_splits, np.bool_)  # a root comes first in its tree
        first[forest.roots[forest.roots >= 0]] = False
        rank = np.concatenate([first.astype(np.int8), np.full(len(self.leaf), 2, np.int8)])
        order = np.lexsort((rank, trees))
        self.tree = trees[order]
        start = np.searchsorted(self.tree, np.arange(forest.n_trees))
        self.node = np.arange(len(order)) - start[self.tree]
        position = np.empty_like(order)
        position[order] = np.arange(len(order))
        self.split_at, self.leaf_at = position[: forest.n_splits], position[forest.n_splits :]
        self.count = np.diff(forest.leaf_offset)[self.leaf]
        self.branch = {}
        end = 0
        for side, index in zip(sides, parent, strict=True):
            start_of_side, end = end, end + len(index)
            self.branch[id(side)] = (index, self.leaf_at[start_of_side:end])

    def child(self, side: NDArray[np.int32]) -> NDArray[np.int64]:
        """Node ids of one side's children, (splits,)."""
        target = self.split_at[np.maximum(side, 0)]
        index, leaf_at = self.branch[id(side)]
        target[index] = leaf_at
        return self.node[target]

    def of_splits(self, values: NDArray[np.generic], fill: float = 0) -> NDArray[np.generic]:
        """``values`` (splits,) spread over all nodes, (nodes,), with ``fill`` at the leaves."""
        result = np.full(len(self.node), fill, values.dtype)
        result[self.split_at] = values
        return result

    def entries(self) -> NDArray[np.int64]:
        """Positions in the sparse leaf table, leaf branch after leaf branch."""
        end = np.cumsum(self.count)
        return np.arange(end[-1]) + np.repeat(self.forest.leaf_offset[self.leaf] - (end - self.count), self.count)


def integer(node: onnx.NodeProto, name: str, value: int) -> None:
    node.attribute.add(name=name, type=onnx.AttributeProto.INT, i=value)


def text(node: onnx.NodeProto, name: str, value: str) -> None:
    node.attribute.add(name=name, type=onnx.AttributeProto.STRING, s=value.encode())


def ints(node: onnx.NodeProto, name: str, values: NDArray[np.generic]) -> None:
    """A repeated integer attribute from any integer or boolean array."""
    attribute = node.attribute.add(name=name, type=onnx.AttributeProto.INTS)
    for start in range(0, len(values), CHUNK):
        attribute.ints.extend(values[start : start + CHUNK].astype(np.int64).tolist())


def floats(node: onnx.NodeProto, name: str, values: Floats) -> None:
    """A repeated float attribute; float64 values as the ``_as_tensor`` twin. Nothing for an empty array."""
    if values.dtype == np.float64:
        tensor(node, f"{name}_as_tensor", values)
    elif len(values):
        attribute = node.attribute.add(name=name, type=onnx.AttributeProto.FLOATS)
        for start in range(0, len(values), CHUNK):
            attribute.floats.extend(values[start : start + CHUNK].tolist())


def strings(node: onnx.NodeProto, name: str, values: Iterable[bytes]) -> None:
    node.attribute.add(name=name, type=onnx.AttributeProto.STRINGS).strings.extend(values)


def tensor(node: onnx.NodeProto, name: str, values: NDArray[np.generic]) -> None:
    """A tensor attribute with raw data. Nothing for an empty array."""
    if len(values):
        stored: TensorProto = numpy_helper.from_array(np.ascontiguousarray(values))
        node.attribute.add(name=name, type=onnx.AttributeProto.TENSOR).t.CopyFrom(stored)
