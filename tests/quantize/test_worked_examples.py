"""The worked examples in docstrings above array code are true."""

from __future__ import annotations

import doctest
from importlib import import_module

import numpy as np
import pytest

from onnxpress.quantize.forest.lossless.leaf_table import numbered
from onnxpress.quantize.forest.lossless.passes import preorder, unfold
from onnxpress.quantize.forest.lossless.portable import Layout
from tests.support.forest_probes import small_forest

MODULES = (
    "onnxpress.graph.trees.forest",
    "onnxpress.graph.trees.reader",
    "onnxpress.quantize.dense.dynamic",
    "onnxpress.quantize.forest.faithful.originals",
    "onnxpress.quantize.forest.faithful.rounding",
    "onnxpress.quantize.forest.lossless.leaves",
    "onnxpress.quantize.forest.lossless.leaf_table",
    "onnxpress.quantize.forest.lossless.passes",
    "onnxpress.quantize.forest.lossless.code_columns",
    "onnxpress.quantize.forest.refined.as_tree_ensemble",
    "onnxpress.quantize.forest.refined.bins",
    "onnxpress.quantize.forest.refined.distillation",
    "onnxpress.quantize.forest.refined.grow",
    "onnxpress.quantize.forest.refined.oblivious",
    "onnxpress.quantize.forest.refined.refit",
    "onnxpress.quantize.forest.refined.sum_of_leaves",
)


@pytest.mark.parametrize("name", MODULES)
def test_worked_examples_are_true(name: str) -> None:
    module = import_module(name)
    result = doctest.testmod(module, extraglobs={"np": np})
    assert result.attempted > 0
    assert result.failed == 0


def test_the_layout_of_two_trees_is_that_of_its_docstring() -> None:
    a, b, c = ~0, ~1, ~2
    forest = small_forest([(a, 1), (b, a), (b, c)], roots=[0, 2], leaves=[10, 20, 30])
    layout = Layout(forest, shared=False)
    assert layout.tree.tolist() == [0, 0, 0, 0, 0, 1, 1, 1]
    assert layout.node.tolist() == [0, 1, 2, 3, 4, 0, 1, 2]
    assert layout.true_child.tolist() == [2, 3, 0, 0, 0, 1, 0, 0]
    assert layout.false_child.tolist() == [1, 4, 0, 0, 0, 2, 0, 0]
    assert layout.split_at.tolist() == [0, 1, 5]
    nodes_of_leaves = zip(layout.leaf_at.tolist(), layout.entries.tolist(), strict=True)
    assert sorted(nodes_of_leaves) == [(2, 0), (3, 1), (4, 0), (6, 1), (7, 2)]


def test_the_tree_of_the_passes_is_that_of_its_docstring() -> None:
    """Unfolding keeps its numbers, for it is breadth-first already."""
    a, b, c, d, e = (~number for number in range(5))
    children = [(1, 2), (3, b), (c, d), (a, e)]
    forest = small_forest(children, roots=[0], leaves=[1, 2, 3, 4, 5])
    tree = unfold(forest)
    assert (tree.true_child == forest.true_child).all()
    assert (tree.false_child == forest.false_child).all()
    assert tree.level == [slice(0, 1), slice(1, 3), slice(3, 4)]
    ordered = preorder(forest)
    assert ordered.true_child.tolist() == [1, 2, a, c]
    assert ordered.false_child.tolist() == [3, b, e, d]


def test_the_leaf_table_of_two_trees_is_that_of_its_docstring() -> None:
    forest = small_forest([(~0, ~1), (~1, 2), (~2, ~1)], roots=[0, 1], leaves=[10, 20, 30])
    found = numbered(forest, np.arange(3, dtype=np.int32))
    assert found.leaf_target.tolist() == [1, 0, 0, 1]  # trees of the keys 4, 0, 1 and 5
    assert found.leaf_weight.tolist() == [1, 0, 1, 2]  # and their rows
    assert found.true_child.tolist() == [~1, ~0, ~3]
    assert found.false_child.tolist() == [~2, 2, ~0]
