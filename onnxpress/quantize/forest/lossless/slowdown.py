"""Predict whether a model with TreeEnsemble (5) is slower than the one it was made from.

onnxruntime walks through both kinds of trees at the same speed: they lie in its memory alike. What
differs is what follows. The older classifier adds up, transforms and labels in one node; around
TreeEnsemble other nodes do so, each of which costs every call, and some cost every row. So do
columns of negated features, through whose trees it walks faster, the more so the deeper they are.

The constants are for onnxruntime on one thread, measured side by side with the original.
"""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import onnx

from onnxpress.graph.trees.attributes import TreeAttributes
from onnxpress.graph.trees.graphs import graphs
from onnxpress.graph.trees.reader import is_tree
from onnxpress.quantize.forest.predicted_time import count_features

CALL = 6.2e-6
WALK = 2.0e-8
"""One row in one tree; deep trees take longer, and other costs weigh less."""
NODE = 3.5e-7
LINEAR_CLASSIFIER = 2.3e-7
"""What it costs a call more than other nodes."""

TWO_CLASSES = -4.0e-9
"""What a walk costs more than in the older classifier of two classes, scored by one target."""
SEVERAL_CLASSES = 0.5e-9
"""The same for several classes where each tree scores one of them."""
ZERO = -2.0e-9
"""A zero that a leaf of the older classifier adds, where TreeEnsemble adds one class alone."""
TABLE_ROW = 1.4e-8
"""A row of a leaf table: gathered and added."""
ENTRY = 4.3e-9
"""A class that a leaf of the older classifier adds to."""
NEGATED = 4.0e-7
"""What writing rows and negated rows side by side costs a call more than two other nodes."""
ELEMENT = 8.0e-10
"""The same for each number of a row."""
WALK_BIT = 2.5e-9
"""What a walk through mirrored trees takes less for each bit of the leaf's number above three."""
SHALLOW = 3
TWO = 2


def slowdown(model: onnx.ModelProto, result: onnx.ModelProto, rows: int) -> float:
    """The time of ``result`` over that of ``model``, if a call has so many ``rows``; at least 1."""
    before, after = _operators(model), _operators(result)
    added = after - before
    nodes = after.total() - before.total()
    a_call = nodes * NODE + added["LinearClassifier"] * LINEAR_CLASSIFIER + added["Neg"] * NEGATED
    trees = [node for graph in graphs(model.graph) for node in graph.node if is_tree(node)]
    count = [_count_trees(node) for node in trees]
    walk = [_added_to_a_walk(node, added) for node in trees]
    a_row = sum(number * cost for number, cost in zip(count, walk, strict=True))
    a_row += added["Neg"] * count_features(model) * ELEMENT
    share = (a_call + rows * a_row) / (CALL + rows * sum(count) * WALK)
    return 1 + max(share, 0.0)


def _operators(model: onnx.ModelProto) -> Counter[str]:
    """How many nodes of each type run: those of constants alone run when a model is loaded."""
    found: Counter[str] = Counter()
    for graph in graphs(model.graph):
        constants = {tensor.name for tensor in graph.initializer}
        for node in graph.node:
            if node.input and constants.issuperset(node.input):
                constants.update(node.output)
            else:
                found[node.op_type] += 1
    return found


def _added_to_a_walk(node: onnx.NodeProto, added: Counter[str]) -> float:
    """What one row takes longer in one tree, on average; below 0 if it is faster."""
    saved = 0.0
    if added["Neg"]:
        bits = math.log2(max(_count_leaves(node) / _count_trees(node), 1))
        saved = max(bits - SHALLOW, 0.0) * WALK_BIT
    return _of_the_operator(node, added) - saved


def _of_the_operator(node: onnx.NodeProto, added: Counter[str]) -> float:
    """The same without what mirrored trees save."""
    if node.op_type != "TreeEnsembleClassifier":
        return 0.0
    attributes = TreeAttributes(node, np.dtype(np.float32))
    entries = len(attributes.ints("class_ids")) / max(_count_leaves(node), 1)
    if added["ReduceSum"]:  # of a leaf table
        return TABLE_ROW - ENTRY * entries
    if added["LinearClassifier"]:
        return TWO_CLASSES if len(attributes.labels) == TWO else SEVERAL_CLASSES
    return ZERO * (entries - 1)


def _count_trees(node: onnx.NodeProto) -> int:
    attributes = TreeAttributes(node, np.dtype(np.float32))
    roots = len(attributes.ints("tree_roots"))
    return max(len(np.unique(attributes.ints("nodes_treeids"))) + roots, 1)


def _count_leaves(node: onnx.NodeProto) -> int:
    (modes,) = (entry for entry in node.attribute if entry.name == "nodes_modes")
    if modes.HasField("t"):  # TreeEnsemble (5): about one more than splits in each tree
        return int(np.prod(modes.t.dims)) + _count_trees(node)
    return sum(mode == b"LEAF" for mode in modes.strings)
