"""What a tree operator computes, as onnxruntime does it, or why that is unclear.

onnxruntime adds up float32 leaves tree after tree, then the base value
(``tree_ensemble_aggregator.h``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.bodies.steps import Arithmetic, Joined, Step, Trees, Value
from onnxpress.graph.trees.forest import Forest, Mode
from onnxpress.graph.trees.reader import Untreatable
from onnxpress.quantize.forest.lossless.lowering import every_target_scored

_ORDERED = (Mode.LEQ, Mode.LT, Mode.GTE, Mode.GT)
TWO, THREE = 2, 3


@dataclass(frozen=True, eq=False)
class RowNumbers(Step):
    """Sums that are the numbers of rows of a leaf table, one for each tree."""

    trees: Trees


@dataclass(frozen=True, eq=False)
class TableRows(Step):
    """Rows of a leaf table, (trees, columns)."""

    trees: Trees
    """The trees with these rows as their leaves."""


def row_numbers(value: Value) -> Value:
    """Sums of trees as whole numbers, if each tree has a target of its own.

    Raises:
        Untreatable: they are something else.
    """
    trees = value.step
    alone = isinstance(trees, Trees) and trees.forest.n_targets == trees.forest.n_trees
    if not isinstance(trees, Trees) or not alone or trees.forest.base_values.any():
        raise Untreatable("it makes whole numbers of what are no numbers of leaves")
    forest = trees.forest
    own = forest.tree_of_leaf[np.repeat(np.arange(forest.n_leaves), np.diff(forest.leaf_offset))]
    reached = own >= 0
    if (np.diff(forest.leaf_offset) != 1).any() or (own != forest.leaf_target)[reached].any():
        raise Untreatable("a leaf has the number of another tree's row")
    return Value(RowNumbers(trees.size, trees), value.place)


def table_rows(table: NDArray[Any], value: Value) -> Value:
    """Rows of a table (rows, columns) at the numbers ``value`` (trees, 1), one for each tree.

    Raises:
        Untreatable: it is read in another way.
    """
    numbers = value.step
    if not isinstance(numbers, RowNumbers) or value.place.tolist() != [
        [tree] for tree in range(numbers.size)
    ]:
        raise Untreatable("it does not read a row for each tree")
    row = numbers.trees.forest.leaf_weight.astype(np.int64)
    forest = replace(numbers.trees.forest, n_targets=table.shape[1])
    rows = table.astype(np.float32)[row]
    if not np.isfinite(rows).all():
        raise Untreatable("a leaf is not finite")
    trees = Trees(table.shape[1], numbers.trees.source, forest.with_leaf_values(rows))
    place = np.arange(numbers.size * table.shape[1])
    return Value(TableRows(len(place), trees), place.reshape(numbers.size, 1, -1))


def sum_of_rows(value: Value, axis: int) -> Value:
    """The sum of rows over the trees.

    Raises:
        Untreatable: it adds up something else.
    """
    if not isinstance(value.step, TableRows) or axis != 0 or value.place.ndim != THREE:
        raise Untreatable("it does not add up rows of a table over the trees")
    trees = value.step.trees
    return Value(trees, np.arange(trees.size)[None, :])


def raw_scores(value: Value, forest: Forest) -> Step:
    """Scores of TreeEnsemble (5) and TreeEnsembleRegressor.

    Raises:
        Untreatable: runtimes differ, or a split is of another kind.
    """
    if forest.post_transform != "NONE":
        raise Untreatable(f"post-transform {forest.post_transform}")
    if forest.aggregate not in ("SUM", "AVERAGE"):
        raise Untreatable(f"it takes the {forest.aggregate} of its trees")
    if forest.base_values.any() and forest.n_targets > 1 and not every_target_scored(forest):
        raise Untreatable("a target may stay without a score and its base value")
    return _summed(value, forest)


def classifier(value: Value, forest: Forest) -> Step:
    """Scores of TreeEnsembleClassifier, of which the label is the first greatest.

    Raises:
        Untreatable: runtimes differ, or a split is of another kind.
    """
    if forest.binary:
        if forest.post_transform != "NONE" and forest.binary != "margin":
            raise Untreatable(f"probabilities with {forest.post_transform}: runtimes differ")
        return _pair(_summed(value, forest), forest.binary)
    if not every_target_scored(forest) and len(forest.base_values) != forest.n_targets:
        raise Untreatable("a class may stay without a score, which is not the same as the score 0")
    if forest.n_targets <= TWO:
        first, second = forest.leaf_values.T[0], forest.leaf_values.T[-1]
        if forest.base_values.any() or not np.array_equal(first, -second):
            raise Untreatable("a single class, or two that are scored apart: runtimes differ")
    return _summed(value, forest)


def _pair(score: Step, rule: str) -> Step:
    """[1 - s, s], or [-s, s]."""
    twice = Joined(TWO, (Value(score, np.zeros((1, TWO), np.intp)),))
    both = Arithmetic(TWO, twice, "*", np.array([-1, 1], np.float32))
    if rule == "margin":
        return both
    return Arithmetic(TWO, both, "+", np.array([1, 0], np.float32))


def _summed(value: Value, forest: Forest) -> Trees:
    if not np.isin(forest.mode, _ORDERED).all():
        raise Untreatable("a split compares with ==, != or a set")
    if not np.isfinite(forest.leaf_weight).all() or not np.isfinite(forest.base_values).all():
        raise Untreatable("a leaf is not finite")
    if np.isnan(forest.threshold).any():
        raise Untreatable("a threshold is missing")
    columns = value.place.ravel()
    if forest.n_splits and forest.feature.max() >= len(columns):
        raise Untreatable("a split reads a column that is not there")
    features = columns[forest.feature].astype(np.int32)
    return Trees(forest.n_targets, value.step, replace(forest, feature=features))
