"""What each pass does to a forest.

Also: probe rows at the splits catch a forest that is wrong in one place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier

from onnxpress.graph.trees.forest import Forest, Mode, leaf_index
from onnxpress.graph.trees.reader import read
from onnxpress.quantize.forest.lossless import rewrite
from onnxpress.quantize.forest.lossless.leaves import drop_zeros, share_leaves
from onnxpress.quantize.forest.lossless.passes import lossless, merge_equal_children, preorder
from onnxpress.quantize.forest.lossless.tree_ensemble import fill_tree_ensemble, separate_roots
from tests.support.forest_probes import converted, outputs, rows_at_splits, small_forest


def scores(given: Forest) -> NDArray[np.float32]:
    """Sums over trees for x from -1 to 6 in half steps."""
    x = np.arange(-1, 6, 0.5, dtype=np.float32)[:, None]
    total: NDArray[np.float32] = given.leaf_values[leaf_index(given, x)].sum(axis=1)
    return total


def test_leaves_that_add_the_same_are_shared() -> None:
    given = small_forest([(~0, 1), (~1, ~2)], [0], [3.0, 4.0, 3.0])
    shared = share_leaves(given)
    assert shared.n_leaves == 2
    np.testing.assert_array_equal(scores(shared), scores(given))


def test_leaves_that_differ_in_the_target_alone_are_not_shared() -> None:
    given = replace(
        small_forest([(~0, ~1)], [0], [3.0, 3.0]),
        leaf_target=np.array([0, 1], np.int32),
        n_targets=2,
    )
    assert share_leaves(given).n_leaves == 2


def test_a_split_without_effect_disappears_with_all_that_hangs_on_it() -> None:
    given = share_leaves(small_forest([(1, 2), (~0, ~1), (~2, ~3)], [0], [5.0, 5.0, 5.0, 5.0]))
    merged = merge_equal_children(given)
    assert merged.n_splits == 0
    np.testing.assert_array_equal(scores(merged), scores(given))


def test_a_split_with_an_effect_stays() -> None:
    given = share_leaves(small_forest([(1, 2), (~0, ~1), (~2, ~3)], [0], [5.0, 5.0, 5.0, 6.0]))
    merged = merge_equal_children(given)
    assert merged.n_splits == 2
    np.testing.assert_array_equal(scores(merged), scores(given))


def test_splits_come_depth_first_and_unreachable_ones_go() -> None:
    given = small_forest([(~0, ~1), (0, 3), (1, 1), (~2, ~0)], [1], [1.0, 2.0, 3.0])
    ordered = preorder(given)
    np.testing.assert_array_equal(ordered.threshold, [1, 0, 3])
    np.testing.assert_array_equal(ordered.roots, [0])
    np.testing.assert_array_equal(scores(ordered), scores(given))


def test_a_split_that_two_parents_share_is_copied() -> None:
    given = small_forest([(1, 2), (3, ~0), (3, ~1), (~2, ~3)], [0], [1.0, 2.0, 3.0, 4.0])
    ordered = preorder(given)
    assert ordered.n_splits == 5
    np.testing.assert_array_equal(scores(ordered), scores(given))


def test_zero_weights_go_but_no_leaf_is_left_empty() -> None:
    given = small_forest([(~0, ~1)], [0], [1.0, 0.0]).with_leaf_values(
        np.array([[0, 2, 0], [0, 0, 0]], np.float32)
    )
    dropped = drop_zeros(replace(given, n_targets=3))
    np.testing.assert_array_equal(np.diff(dropped.leaf_offset), [1, 1])
    np.testing.assert_array_equal(dropped.leaf_values, [[0, 2, 0], [0, 0, 0]])


def test_dense_leaf_values_survive_the_sparse_form() -> None:
    dense = np.random.default_rng(0).integers(-1, 2, (2, 4)).astype(np.float32)
    given = replace(small_forest([(~0, ~1)], [0], [0.0, 0.0]).with_leaf_values(dense), n_targets=4)
    np.testing.assert_array_equal(given.leaf_values, dense)


@pytest.mark.parametrize(
    "given",
    [
        small_forest([(1, ~1), (~0, ~2)], [0], [1.0, 2.0, 3.0]),
        small_forest([(~0, ~1), (2, ~2), (~0, ~1)], [0, 1], [1.0, 2.0, 3.0]),
        small_forest([], [~0], [7.0]),
    ],
    ids=["split 1 beside leaf 1", "split 2 beside leaf 2", "one leaf"],
)
def test_no_root_is_written_that_could_pass_for_a_leaf(given: Forest) -> None:
    """onnxruntime takes a root with equal child numbers for a leaf, even if one is a split."""
    node = onnx.NodeProto()
    fill_tree_ensemble(given, node)
    found = {entry.name: list(entry.ints) for entry in node.attribute}
    for root in found["tree_roots"]:
        assert found["nodes_truenodeids"][root] != found["nodes_falsenodeids"][root]
    np.testing.assert_array_equal(scores(separate_roots(given)), scores(given))


def test_passes_change_nothing_on_rows_at_the_splits() -> None:
    model, _, x = _model()
    given = read(model.graph.node[0])
    rows = rows_at_splits(given, x)
    reduced = lossless(drop_zeros(given))
    assert reduced.n_leaves < given.n_leaves
    np.testing.assert_array_equal(
        reduced.leaf_values[leaf_index(reduced, rows)], given.leaf_values[leaf_index(given, rows)]
    )


Rewritten = Callable[[onnx.ModelProto, Forest], onnx.ModelProto]


@pytest.fixture
def rewritten_as(monkeypatch: pytest.MonkeyPatch) -> Rewritten:
    """Rewrites a model as if its only tree node had been read as another forest."""

    def rewritten(model: onnx.ModelProto, forest: Forest) -> onnx.ModelProto:
        monkeypatch.setattr(rewrite, "read", lambda *_: forest)
        return rewrite.rewrite_trees(model, ml_opset=5)

    return rewritten


def test_probes_catch_a_threshold_rounded_to_nearest(rewritten_as: Rewritten) -> None:
    """A float64 threshold lies between two floats.

    The nearest may be the upper one, which belongs to the other side.
    """
    model, estimator, x = _model()
    trees = [tree.tree_ for tree in estimator.estimators_]
    double = np.concatenate([tree.threshold[tree.feature >= 0] for tree in trees])
    given = read(model.graph.node[0])
    # Above splits between leaves, both branches may lead to one prediction.
    between_leaves = (given.true_child < 0) & (given.false_child < 0)
    wrong = np.flatnonzero((double.astype(np.float32) > double) & between_leaves)
    assert len(wrong) > 5
    rows = rows_at_splits(given, x)
    expected = outputs(model, rows)[1]
    for position in wrong[:: len(wrong) // 5]:
        threshold = given.threshold.copy()
        threshold[position] = np.float32(double[position])
        found = outputs(rewritten_as(model, replace(given, threshold=threshold)), rows)[1]
        assert np.abs(found - expected).max() > 0.01


def test_probes_catch_one_wrong_leaf(rewritten_as: Rewritten) -> None:
    model, _, x = _model()
    given = read(model.graph.node[0])
    rows = rows_at_splits(given, x)
    expected = outputs(model, rows)[1]
    for position in range(0, given.n_leaves, given.n_leaves // 7):
        values = given.leaf_values.copy()
        values[position] = np.roll(values[position], 1)
        found = outputs(rewritten_as(model, given.with_leaf_values(values)), rows)[1]
        assert np.abs(found - expected).max() > 0.01


def test_rows_at_splits_reach_every_leaf() -> None:
    model, _, x = _model()
    given = read(model.graph.node[0])
    assert len(np.unique(leaf_index(given, rows_at_splits(given, x)))) == given.n_leaves


def test_a_split_on_a_set_takes_its_members_only() -> None:
    given = replace(
        small_forest([(~0, ~1)], [0], [1.0, 2.0]),
        mode=np.array([Mode.MEMBER], np.uint8),
        member_sets=(np.array([2.0, 4.0], np.float32),),
    )
    x = np.array([[1], [2], [3], [4], [np.nan]], np.float32)
    np.testing.assert_array_equal(leaf_index(given, x)[:, 0], [1, 0, 1, 0, 1])


def _model() -> tuple[onnx.ModelProto, RandomForestClassifier, NDArray[np.float32]]:
    x, y = load_wine(return_X_y=True)
    x = x.astype(np.float32)
    estimator = RandomForestClassifier(8, random_state=0).fit(x, y)
    return converted(estimator, x), estimator, x
