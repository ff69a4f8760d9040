"""The trees of a model, rows to learn from, and what the trees answer on them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from onnxpress.graph.trees.forest import Forest
from onnxpress.graph.trees.graphs import graphs
from onnxpress.graph.trees.reader import Untreatable, is_tree, read
from onnxpress.graph.writer import ML_DOMAIN
from onnxpress.quantize.candidates import NotApplicable
from onnxpress.quantize.forest.lossless.leaf_table import numbered
from onnxpress.quantize.forest.lossless.leaves import taken_entries
from onnxpress.quantize.forest.lossless.passes import preorder
from onnxpress.quantize.forest.lossless.tree_ensemble import fill_tree_ensemble
from onnxpress.quantize.forest.refined.distillation import generate
from onnxpress.quantize.forest.refined.subgraphs import (
    Subgraphs,
    run,
    split_at_features,
    subgraph,
)
from onnxpress.quantize.task import Task

Matrix = NDArray[np.float64]

TWO = 2
_ROWS = 40_000
_VISITS = 6_000_000  # rows times trees: what fits into 100 MB
_FEWEST_ROWS = 8_000

_CLEAR = 3.0
"""A row counts e times less where its margin is greater by a third of the mean margin."""
_FAR = 0.1
"""What a row counts at least."""


@dataclass(frozen=True)
class Originals:
    """The trees of a model and what they answer on rows like its training rows."""

    forest: Forest
    """The trees, nothing shared between them."""
    leaves: NDArray[np.int32]
    """(rows, trees) the leaf that each row reaches."""
    weight: Matrix
    """(rows,) how much a row counts: most where the answer is a near thing."""

    @property
    def scores(self) -> Matrix:
        """Raw scores (rows, targets) without base values."""
        return summed(self.forest.leaf_values.astype(np.float64), self.leaves)


def originals(task: Task) -> Originals:
    """Read the trees of a model, and run its training rows and generated ones through them.

    Raises:
        NotApplicable: the model has several tree ensembles, or one that is no plain sum of trees
            over float32 features.
    """
    forest = own_leaves(preorder(_only_forest(task.model)))
    parts, x = split_at_features(task.model, task.rows.feeds)
    node = next(node for node in task.model.graph.node if is_tree(node))
    if node.input[0] != parts.features:
        raise NotApplicable("the trees do not read the features that lead to all outputs")
    random = np.random.default_rng(task.seed)
    count = max(min(_ROWS, _VISITS // forest.n_trees), _FEWEST_ROWS)
    if len(x) > count // 2:
        x = x[np.sort(random.choice(len(x), count // 2, replace=False))]
    x = np.concatenate([x, generate(x, count - len(x), random)])
    leaves = reached_leaves(forest, x)
    values = summed(forest.leaf_values.astype(np.float64), leaves)
    border = None
    if forest.n_targets == 1 and len(task.model.graph.output) > 1:
        score = values[:, 0] + forest.base_values.sum()
        border = threshold_on(score, _labels(task.model, parts, x), usual=_border(forest))
    return Originals(forest, leaves, nearness(margins(forest, values, border)))


def _labels(model: onnx.ModelProto, parts: Subgraphs, x: NDArray[np.float32]) -> NDArray[Any]:
    """The labels of a classifier for features ``x`` (rows, features), (rows,)."""
    outputs = [value.name for value in model.graph.output]
    return run(subgraph(model, parts.back, outputs, parts.features), {parts.features: x})[0]


def threshold_on(score: Matrix, labels: NDArray[Any], usual: float) -> float | None:
    """The score (rows,) from which two classes have the greater label; None if there is none.

    It is the ``usual`` one if that explains all labels, else the middle of those that do.

    >>> score, labels = np.array([0.1, 0.3, 0.9]), np.array(["no", "yes", "yes"])
    >>> threshold_on(score, labels, usual=0.5), threshold_on(score, labels, usual=0.25)
    (0.2, 0.25)
    """
    classes = np.unique(labels)
    if len(classes) != TWO:
        return None
    second = labels == classes[1]
    low, high = float(score[~second].max()), float(score[second].min())
    if low <= usual <= high:
        return usual
    return 0.5 * (low + high) if low <= high else None


def _border(forest: Forest) -> float:
    """The score at which two classes of one target part, without a threshold of their own."""
    return 0.5 if forest.binary == "probability" else 0.0


def _only_forest(model: onnx.ModelProto) -> Forest:
    nodes = [node for graph in graphs(model.graph) for node in graph.node if is_tree(node)]
    if len(nodes) != 1 or not any(node is nodes[0] for node in model.graph.node):
        raise NotApplicable(
            f"needs one tree ensemble in the main graph, the model has {len(nodes)}"
        )
    try:
        forest = read(nodes[0])
    except Untreatable as reason:
        raise NotApplicable(str(reason)) from None
    if forest.aggregate != "SUM":
        raise NotApplicable(f"trees are aggregated by {forest.aggregate}, not summed up")
    return forest


def own_leaves(forest: Forest) -> Forest:
    """A copy of each leaf for each branch that ends in it.

    Leaves are numbered along the true branches, then along the false ones, then among the roots:
    the branches [~0, 1], [~0, ~1] of two splits become [~0, 1] and [~1, ~2].
    """
    source: list[NDArray[np.int32]] = []
    renumbered = []
    for children in (forest.true_child, forest.false_child, forest.roots):
        leaf = children < 0
        first = sum(map(len, source))
        result = children.copy()
        result[leaf] = ~np.arange(first, first + leaf.sum(), dtype=np.int32)
        source.append(~children[leaf])
        renumbered.append(result)
    offset, entries = taken_entries(forest.leaf_offset, np.concatenate(source))
    return replace(
        forest,
        true_child=renumbered[0],
        false_child=renumbered[1],
        roots=renumbered[2],
        leaf_offset=offset,
        leaf_target=forest.leaf_target[entries],
        leaf_weight=forest.leaf_weight[entries],
    )


def reached_leaves(forest: Forest, x: NDArray[np.float32]) -> NDArray[np.int32]:
    """The leaf that each row of ``x`` (rows, features) reaches in each tree, (rows, trees).

    The runtime's own tree operator finds them: every tree writes the number of its leaf.
    """
    every = np.arange(forest.n_leaves, dtype=np.int32)
    node = helper.make_node("TreeEnsemble", ["x"], ["leaves"], domain=ML_DOMAIN)
    fill_tree_ensemble(numbered(forest, every), node)
    shape = [None, None]
    graph = helper.make_graph(
        [node],
        "leaves",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("leaves", TensorProto.FLOAT, shape)],
    )
    imports = [helper.make_opsetid("", 12), helper.make_opsetid(ML_DOMAIN, 5)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=8)
    (found,) = run(model, {"x": x})
    return np.asarray(found, np.int32)


def summed(values: Matrix, leaves: NDArray[np.integer]) -> Matrix:
    """Leaf ``values`` (leaves, targets) summed up over the trees of ``leaves`` (rows, trees)."""
    total = np.zeros((len(leaves), values.shape[1]))
    for column in leaves.T:
        total += values[column]
    return total


def margins(forest: Forest, scores: Matrix, border: float | None = None) -> Matrix:
    """How far raw ``scores`` (rows, targets) are from another class, (rows,); 1 in a regression.

    ``border`` is the score at which two classes of one target part, if not where they usually do.
    """
    if forest.labels is None and border is None:
        return np.ones(len(scores))
    scores = scores.copy()
    scores[:, : len(forest.base_values)] += forest.base_values
    if forest.n_targets == 1:
        return np.abs(scores[:, 0] - (_border(forest) if border is None else border))
    second, first = np.partition(scores, -2, axis=1)[:, -2:].T
    return np.asarray(first - second)


def nearness(margin: Matrix) -> Matrix:
    """How much rows of these margins count, (rows,).

    >>> nearness(np.array([0.0, 1.0, 2.0])).round(3)
    array([1.1  , 0.15 , 0.102])
    """
    if np.ptp(margin) == 0:
        return np.ones(len(margin))
    near = np.exp(-_CLEAR * margin / margin.mean())
    near = near.astype(np.float32)  # its last bits depend on the CPU
    return np.asarray(_FAR + near.astype(np.float64))
