"""TreeEnsemble writer: a Forest becomes one node of ai.onnx.ml 5."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxpress.graph.trees.attributes import integer, ints, tensor
from onnxpress.graph.trees.forest import Floats, Forest, Mode
from onnxpress.graph.trees.reader import AGGREGATES
from onnxpress.quantize.forest.lossless.leaves import renumber_leaves
from onnxpress.quantize.forest.lossless.subtrees import share_subtrees


def fill_tree_ensemble(forest: Forest, node: onnx.NodeProto) -> None:
    """Write ``forest`` into the attributes of ``node``, a TreeEnsemble (5) without any.

    It maps x (rows, features) to raw scores (rows, n_targets). Every leaf must have exactly one
    entry. Base values, labels and post-transforms follow as other operators: TreeEnsemble has no
    base values, and its two implementations number the post-transforms differently.
    """
    forest = share_subtrees(separate_roots(forest))
    ints(node, "leaf_targetids", forest.leaf_target)
    tensor(node, "leaf_weights", forest.leaf_weight)
    integer(node, "n_targets", forest.n_targets)
    ints(node, "nodes_featureids", forest.feature)
    tensor(node, "nodes_modes", forest.mode)
    member = forest.mode == Mode.MEMBER
    splits = np.where(member, 0, forest.threshold).astype(forest.threshold.dtype, copy=False)
    tensor(node, "nodes_splits", splits)
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


def separate_roots(forest: Forest) -> Forest:
    """Make every root a split whose two children have different numbers.

    onnxruntime takes a root whose true and false ids are equal for a single leaf, even if one is a
    leaf and the other a split. So a tree of one leaf becomes a split between two copies of it, and
    a root with leaf 3 and split 3 gets a copy of leaf 3 at a free number.
    """
    single = np.flatnonzero(forest.roots < 0)
    if len(single):
        forest = _add_stumps(forest, single)
    true_child, false_child = forest.true_child[forest.roots], forest.false_child[forest.roots]
    number = [np.where(child < 0, ~child, child) for child in (true_child, false_child)]
    for root in forest.roots[number[0] == number[1]]:
        forest = _copy_leaf(forest, int(root))
    return forest


def _add_stumps(forest: Forest, trees: NDArray[np.intp]) -> Forest:
    """The single-leaf ``trees`` as splits on feature 0 with the same leaf on both sides."""
    roots = forest.roots.copy()
    leaf = roots[trees]
    roots[trees] = forest.n_splits + np.arange(len(trees))

    def grown(values: NDArray[Any], extra: object) -> NDArray[Any]:
        return np.concatenate(
            [values, np.broadcast_to(np.asarray(extra, values.dtype), len(trees))]
        )

    return replace(
        forest,
        feature=grown(forest.feature, 0),
        threshold=grown(forest.threshold, 0),
        mode=grown(forest.mode, Mode.LEQ),
        missing_true=grown(forest.missing_true, extra=False),
        true_child=grown(forest.true_child, leaf),
        false_child=grown(forest.false_child, leaf),
        roots=roots,
    )


def _copy_leaf(forest: Forest, root: int) -> Forest:
    """Copy the leaf of ``root`` to a number that differs from its other child's.

    One copy at the end is enough, or two where the first would get that very number.
    """
    true_child, false_child = int(forest.true_child[root]), int(forest.false_child[root])
    leaf, other = (~true_child, false_child) if true_child < 0 else (~false_child, true_child)
    other = ~other if other < 0 else other
    copies = 2 if other == forest.n_leaves else 1
    source = np.concatenate([np.arange(forest.n_leaves), np.full(copies, leaf)]).astype(np.int32)
    grown = renumber_leaves(forest, np.arange(forest.n_leaves, dtype=np.int32), source)
    child = (grown.true_child if true_child < 0 else grown.false_child).copy()
    child[root] = ~(grown.n_leaves - 1)
    return replace(grown, true_child=child) if true_child < 0 else replace(grown, false_child=child)


def _membership(forest: Forest, member: NDArray[np.bool_]) -> Floats:
    """The sets of the MEMBER splits in split order, each closed by a NaN."""
    sets = [forest.member_sets[int(position)] for position in forest.threshold[member]]
    parts: list[Any] = []
    for members in sets:
        parts += [members, [np.nan]]
    closed: Floats = np.concatenate(parts)
    return closed.astype(forest.threshold.dtype)
