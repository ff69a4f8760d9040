"""Predict how long a forest takes, so that every machine chooses the same model.

A measured time differs from run to run. These predictions follow from the graph alone. They are for
onnxruntime on one thread of a CPU. Against measured times (``python -m bench.calibration``, 1,024
rows), nine tenths of the suite's models on small tables lie between 0.33 and 2.1, of refined
forests between 0.77 and 1.33.

What a tree ensemble takes (onnxruntime's ``tree_ensemble_common.h``): rows are treated in blocks of
128, tree after tree. Each walk from a root to a leaf has a fixed cost, and one for each bit of the
leaf's number that the processor could not guess: the logarithm of the number of leaves. A node that
a block visits for the first time must be brought into the nearest cache, from further away the
larger the forest is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import onnx

from onnxpress.graph.trees.attributes import TreeAttributes
from onnxpress.graph.trees.forest import Forest
from onnxpress.graph.trees.graphs import graphs
from onnxpress.graph.trees.reader import Untreatable, is_tree, read
from onnxpress.quantize.candidates import Rung
from onnxpress.quantize.forest.lossless.passes import unfold
from onnxpress.quantize.forest.refined.sum_of_leaves import FEW_COLUMNS, is_wide

BLOCK_ROWS = 128

_CALL = 5.0e-6
_WALK = 9.5e-9
_LEAF_BIT = 3.6e-9
_NODE = 4.8e-9
"""A node's first visit by a block of rows, in a forest that fits into the second-level cache."""
_FAR_NODE = 12.5e-9
"""What such a visit takes longer in a forest that is much larger than the cache."""
_CACHE_BYTES = 2e6
_NODE_BYTES = 24
_ENTRY = 4.3e-9
"""A target that a leaf adds to, where there are several."""

_OPERATORS = 1.08e-5
"""One call of a refined model's operators."""
_QUESTION = 5.7e-9
_ROW_QUESTION = 6.4e-10
_PICKED = 5.7e-10
"""A question of a row takes this longer where features are picked from rows as they are."""
_ROW_FEATURE = 2.6e-10
_ELEMENT = 8.5e-10
"""A leaf value that is gathered by itself."""
_LOOKUP = 4.3e-9
"""A row of the leaf table, and each value in it."""
_VALUE = 2.7e-10
_ROW_COLUMN = 8.5e-9
"""Softmax and ArgMax."""
_ARRAY_BYTES = 4e6
_FAR_QUESTION = 5.0e-10
"""What an element takes longer in an array that is much larger than the cache."""
_FAR_VALUE = 1.4e-9


@dataclass(frozen=True)
class Trees:
    """The shape of one tree ensemble."""

    trees: int
    splits: tuple[int, ...]
    """Of all trees together, level by level from the roots."""
    leaves: tuple[int, ...]
    """How many leaves hang on the splits of each level."""
    entries: float
    """How many targets a leaf adds to, on average."""
    targets: int

    def seconds(self, rows: int) -> float:
        """The time of one call with so many ``rows``."""
        branches = max(sum(self.leaves), self.trees)
        bits = math.log2(branches / self.trees)
        walk = _WALK + _LEAF_BIT * bits
        if self.targets > 1:
            walk += _ENTRY * self.entries
        far = max(0.0, 1 - _CACHE_BYTES / (_NODE_BYTES * (sum(self.splits) + branches)))
        block = min(rows, BLOCK_ROWS)
        nodes = rows / block * self._visited(block) * (_NODE + far * _FAR_NODE)
        return _CALL + rows * self.trees * walk + nodes

    def _visited(self, rows: int) -> float:
        """About how many different splits so many rows visit.

        Rows are taken to end in all leaves alike. So the share of them that passes a level is the
        share of leaves below it.
        """
        below = list(accumulate(reversed(self.leaves)))[::-1]
        passing = (rows * self.trees * leaves / below[0] for leaves in below)
        return sum(min(pair) for pair in zip(self.splits, passing, strict=True))


def shape_of(forest: Forest) -> Trees:
    """The shape of ``forest``.

    Raises:
        Untreatable: its trees share so many subtrees that they cannot be walked through.
    """
    tree = unfold(forest)
    splits, leaves = [], []
    for level in tree.level:
        splits.append(level.stop - level.start)
        ends = (tree.true_child[level] < 0).sum() + (tree.false_child[level] < 0).sum()
        leaves.append(int(ends))
    entries = len(forest.leaf_target) / max(forest.n_leaves, 1)
    targets = max(forest.n_targets, len(forest.labels) if forest.labels is not None else 1)
    return Trees(forest.n_trees, tuple(splits), tuple(leaves), entries, targets)


def full_trees(trees: int, depth: int, targets: int) -> Trees:
    """The shape of ``trees`` whose leaves all lie below ``depth`` splits."""
    splits = [trees << level for level in range(depth)]
    leaves = [*[0] * (depth - 1), trees << depth] if depth else []
    return Trees(trees, tuple(splits), tuple(leaves), targets, targets)


def plain_seconds(model: onnx.ModelProto, rows: int) -> float:
    """The time of the tree ensembles of ``model`` in one call with so many ``rows``."""
    return sum(_shape_of_node(node).seconds(rows) for node in _tree_nodes(model))


def _shape_of_node(node: onnx.NodeProto) -> Trees:
    """The shape of a node's trees; of one that cannot be read, as if they were full."""
    try:
        return shape_of(read(node))
    except Untreatable:
        attributes = _attributes(node)
        trees = len(np.unique(attributes.ints("nodes_treeids")))
        trees = max(trees + len(attributes.ints("tree_roots")), 1)
        nodes = len(attributes.ints("nodes_featureids"))
        return full_trees(trees, int(math.log2(max(nodes / trees, 1))), targets=1)


def refined_seconds(rung: Rung, columns: int, features: int, rows: int) -> float:
    """The time of a refined forest written as operators, in one call with so many ``rows``.

    It has ``columns`` scores and reads ``features`` columns.
    """
    questions = rung.trees * rung.depth
    stored = columns if columns > 2 else 1  # two classes need one score
    values = rung.trees * stored
    a_row = questions * (_ROW_QUESTION + _far(rows * questions) * _FAR_QUESTION)
    a_row += questions * _PICKED if is_wide(features, questions) else features * _ROW_FEATURE
    if stored <= FEW_COLUMNS:
        a_row += values * _ELEMENT
    else:
        a_row += rung.trees * _LOOKUP + values * _VALUE
    a_row += values * _far(rows * values) * _FAR_VALUE
    if columns > 1:
        a_row += columns * _ROW_COLUMN
    return _OPERATORS + questions * _QUESTION + rows * a_row


def _far(elements: int) -> float:
    """The share of an array of so many float32 that is not in the cache."""
    return max(0.0, 1 - _ARRAY_BYTES / (4 * elements))


def refined_node_seconds(rung: Rung, columns: int, rows: int) -> float:
    """The time of a refined forest written as one tree ensemble."""
    return full_trees(rung.trees, rung.depth, columns).seconds(rows)


def count_features(model: onnx.ModelProto) -> int:
    """How many columns the trees of ``model`` read, counted up to the last that a split asks."""
    numbers = [_attributes(node).ints("nodes_featureids") for node in _tree_nodes(model)]
    return max((int(each.max()) + 1 for each in numbers if len(each)), default=0)


def _tree_nodes(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    return [node for graph in graphs(model.graph) for node in graph.node if is_tree(node)]


def _attributes(node: onnx.NodeProto) -> TreeAttributes:
    return TreeAttributes(node, np.dtype(np.float32))
