"""What each pass does to a forest.

Also: probe rows at the splits catch a forest that is wrong in one place.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier

from onnxpress.graph.trees.forest import Forest, Mode, leaf_index
from onnxpress.graph.trees.reader import read
from onnxpress.quantize.forest.lossless.leaves import drop_zeros, share_leaves
from onnxpress.quantize.forest.lossless.passes import lossless, merge_equal_children, preorder
from onnxpress.quantize.forest.lossless.rewrite import rewrite_trees
from onnxpress.quantize.forest.lossless.tree_ensemble import separate_roots, tree_ensemble
from tests.support.forest_probes import converted, outputs, rows_at_splits


def forest(children: list[tuple[int, int]], roots: list[int], leaves: list[float]) -> Forest:
    """Splits x[0] <= their own number, one target."""
    n = len(children)
    pairs = np.array(children, np.int32).reshape(n, 2)
    return Forest(
        feature=np.zeros(n, np.int32),
        threshold=np.arange(n, dtype=np.float32),
        mode=np.zeros(n, np.uint8),
        missing_true=np.zeros(n, np.bool_),
        true_child=pairs[:, 0].copy(),
        false_child=pairs[:, 1].copy(),
        roots=np.array(roots, np.int32),
        leaf_offset=np.arange(len(leaves) + 1, dtype=np.int32),
        leaf_target=np.zeros(len(leaves), np.int32),
        leaf_weight=np.array(leaves, np.float32),
        n_targets=1,
    )


def scores(given: Forest) -> NDArray[np.float32]:
    """Sums over trees for x from -1 to 6 in half steps."""
    x = np.arange(-1, 6, 0.5, dtype=np.float32)[:, None]
    total: NDArray[np.float32] = given.leaf_values[leaf_index(given, x)].sum(axis=1)
    return total


def test_leaves_that_add_the_same_are_shared() -> None:
    given = forest([(~0, 1), (~1, ~2)], [0], [3.0, 4.0, 3.0])
    shared = share_leaves(given)
    assert shared.n_leaves == 2
    np.testing.assert_array_equal(scores(shared), scores(given))


def test_leaves_that_differ_in_the_target_alone_are_not_shared() -> None:
    given = replace(
        forest([(~0, ~1)], [0], [3.0, 3.0]), leaf_target=np.array([0, 1], np.int32), n_targets=2
    )
    assert share_leaves(given).n_leaves == 2


def test_a_split_without_effect_disappears_with_all_that_hangs_on_it() -> None:
    given = share_leaves(forest([(1, 2), (~0, ~1), (~2, ~3)], [0], [5.0, 5.0, 5.0, 5.0]))
    merged = merge_equal_children(given)
    assert merged.n_splits == 0
    np.testing.assert_array_equal(scores(merged), scores(given))


def test_a_split_with_an_effect_stays() -> None:
    given = share_leaves(forest([(1, 2), (~0, ~1), (~2, ~3)], [0], [5.0, 5.0, 5.0, 6.0]))
    merged = merge_equal_children(given)
    assert merged.n_splits == 2
    np.testing.assert_array_equal(scores(merged), scores(given))


def test_splits_come_depth_first_and_unreachable_ones_go() -> None:
    given = forest([(~0, ~1), (0, 3), (1, 1), (~2, ~0)], [1], [1.0, 2.0, 3.0])
    ordered = preorder(given)
    np.testing.assert_array_equal(ordered.threshold, [1, 0, 3])
    np.testing.assert_array_equal(ordered.roots, [0])
    np.testing.assert_array_equal(scores(ordered), scores(given))


def test_a_split_that_two_parents_share_is_copied() -> None:
    given = forest([(1, 2), (3, ~0), (3, ~1), (~2, ~3)], [0], [1.0, 2.0, 3.0, 4.0])
    ordered = preorder(given)
    assert ordered.n_splits == 5
    np.testing.assert_array_equal(scores(ordered), scores(given))


def test_zero_weights_go_but_no_leaf_is_left_empty() -> None:
    given = forest([(~0, ~1)], [0], [1.0, 0.0]).with_leaf_values(
        np.array([[0, 2, 0], [0, 0, 0]], np.float32)
    )
    dropped = drop_zeros(replace(given, n_targets=3))
    np.testing.assert_array_equal(np.diff(dropped.leaf_offset), [1, 1])
    np.testing.assert_array_equal(dropped.leaf_values, [[0, 2, 0], [0, 0, 0]])


def test_dense_leaf_values_survive_the_sparse_form() -> None:
    dense = np.random.default_rng(0).integers(-1, 2, (2, 4)).astype(np.float32)
    given = replace(forest([(~0, ~1)], [0], [0.0, 0.0]).with_leaf_values(dense), n_targets=4)
    np.testing.assert_array_equal(given.leaf_values, dense)


@pytest.mark.parametrize(
    "given",
    [
        forest([(1, ~1), (~0, ~2)], [0], [1.0, 2.0, 3.0]),
        forest([(~0, ~1), (2, ~2), (~0, ~1)], [0, 1], [1.0, 2.0, 3.0]),
        forest([], [~0], [7.0]),
    ],
    ids=["split 1 beside leaf 1", "split 2 beside leaf 2", "one leaf"],
)
def test_no_root_is_written_that_could_pass_for_a_leaf(given: Forest) -> None:
    """onnxruntime takes a root with equal child numbers for a leaf, even if one is a split."""
    node = onnx.NodeProto()
    tree_ensemble(given, "x", "y", node)
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


def test_probes_catch_a_threshold_rounded_to_nearest() -> None:
    """A float64 threshold lies between two floats.

    The nearest may be the upper one, which belongs to the other side.
    """
    model, estimator, x = _model()
    double = np.concatenate(
        [tree.tree_.threshold[tree.tree_.feature >= 0] for tree in estimator.estimators_]
    )
    given = read(model.graph.node[0])
    between_leaves = (given.true_child < 0) & (
        given.false_child < 0
    )  # above those, both ways may lead to one answer
    wrong = np.flatnonzero((double.astype(np.float32) > double) & between_leaves)
    assert len(wrong) > 5
    rows = rows_at_splits(given, x)
    expected = outputs(model, rows)[1]
    for position in wrong[:: len(wrong) // 5]:

        def rounded(given: Forest, position: int = position) -> Forest:
            threshold = given.threshold.copy()
            threshold[position] = np.float32(double[position])
            return replace(given, threshold=threshold)

        found = outputs(rewrite_trees(model, ml_opset=5, treat=rounded), rows)[1]
        assert np.abs(found - expected).max() > 0.01


def test_probes_catch_one_wrong_leaf() -> None:
    model, _, x = _model()
    given = read(model.graph.node[0])
    rows = rows_at_splits(given, x)
    expected = outputs(model, rows)[1]
    for position in range(0, given.n_leaves, given.n_leaves // 7):

        def one_leaf_off(given: Forest, position: int = position) -> Forest:
            values = given.leaf_values.copy()
            values[position] = np.roll(values[position], 1)
            return given.with_leaf_values(values)

        found = outputs(rewrite_trees(model, ml_opset=5, treat=one_leaf_off), rows)[1]
        assert np.abs(found - expected).max() > 0.01


def test_rows_at_splits_reach_every_leaf() -> None:
    model, _, x = _model()
    given = read(model.graph.node[0])
    assert len(np.unique(leaf_index(given, rows_at_splits(given, x)))) == given.n_leaves


def test_a_split_on_a_set_takes_its_members_only() -> None:
    given = replace(
        forest([(~0, ~1)], [0], [1.0, 2.0]),
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
