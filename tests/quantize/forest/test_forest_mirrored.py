"""Trees on negated features, without flags for missing values, and subtrees written once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import ExtraTreesRegressor, RandomForestClassifier

from onnxpress.graph.trees.forest import Forest, Mode, leaf_index
from onnxpress.graph.trees.reader import read
from onnxpress.quantize.forest.levels import forest_candidates
from onnxpress.quantize.forest.lossless.mirrored import _mirrored
from onnxpress.quantize.forest.lossless.passes import unfold
from onnxpress.quantize.forest.lossless.rewrite import rewrite_trees
from onnxpress.quantize.forest.lossless.subtrees import equal_subtrees, share_subtrees
from onnxpress.quantize.options import Options
from onnxpress.tables.rows import Rows
from tests.support.forest_probes import (
    assert_same,
    converted,
    outputs,
    probes,
    reference_outputs,
    small_forest,
)

FLAGS = "nodes_missing_value_tracks_true"
ORDER = (Mode.LEQ, Mode.LT, Mode.GTE, Mode.GT)
MAX = np.finfo(np.float32).max


def trees_of(model: onnx.ModelProto) -> dict[str, Any]:
    """The attributes of the only tree ensemble, by name."""
    (node,) = (node for node in model.graph.node if node.op_type == "TreeEnsemble")
    return {entry.name: entry for entry in node.attribute}


def operators(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


@pytest.fixture(scope="module")
def diabetes() -> tuple[onnx.ModelProto, NDArray[np.float32]]:
    x, y = load_diabetes(return_X_y=True)
    x, y = x[:150].astype(np.float32), y[:150]
    return converted(ExtraTreesRegressor(100, random_state=0).fit(x, y), x), x


@pytest.fixture(scope="module")
def iris() -> tuple[onnx.ModelProto, NDArray[np.float32]]:
    x, y = load_iris(return_X_y=True)
    x = x.astype(np.float32)
    return converted(RandomForestClassifier(60, random_state=0).fit(x, y), x), x


def test_mirrored_trees_have_no_flags_and_predict_every_probe_alike(
    diabetes: tuple[onnx.ModelProto, NDArray[np.float32]],
) -> None:
    model, x = diabetes
    flagged = rewrite_trees(model, ml_opset=5)
    mirrored = rewrite_trees(model, ml_opset=5, mirrored=True)
    assert FLAGS in trees_of(flagged)
    assert FLAGS not in trees_of(mirrored)
    assert operators(mirrored)[:3] == ["Neg", "Concat", "TreeEnsemble"]
    rows = probes(model, x, 300)
    assert np.isnan(rows).any()
    assert_same(outputs(mirrored, rows), outputs(model, rows))
    assert_same(reference_outputs(mirrored, rows[:3]), outputs(model, rows[:3]))


def test_a_byte_a_split_is_saved(diabetes: tuple[onnx.ModelProto, NDArray[np.float32]]) -> None:
    model, _ = diabetes
    flagged = rewrite_trees(model, ml_opset=5)
    mirrored = rewrite_trees(model, ml_opset=5, mirrored=True)
    splits = len(trees_of(flagged)[FLAGS].ints)
    sizes = [sum(node.ByteSize() for node in each.graph.node) for each in (flagged, mirrored)]
    assert sizes[0] - sizes[1] > 0.9 * splits


def test_deep_forests_are_mirrored_and_shallow_ones_are_not(
    diabetes: tuple[onnx.ModelProto, NDArray[np.float32]],
) -> None:
    """A call of one row through a shallow forest is too short for two more operators."""
    x, y = load_breast_cancer(return_X_y=True)
    shallow = RandomForestClassifier(40, max_depth=3, random_state=0).fit(x, y)
    model, _ = diabetes
    for given, wanted in ((model, True), (converted(shallow, x.astype(np.float32)), False)):
        (candidate,) = forest_candidates(given, Options(level="lossless"))
        made = candidate.apply(given, Rows({"X": x[:0].astype(np.float32)}, y[:0]))
        assert ("Neg" in operators(made)) is wanted


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mode", ORDER, ids=lambda mode: mode.name)
def test_a_mirrored_split_sends_every_number_the_same_way(mode: Mode, dtype: Any) -> None:
    """Numbers at the threshold, its neighbours, NaN, infinities, zeros."""
    for threshold in (-3.5, -1e-30, 1e-30, 1.0, 2.0**24, 1e30):
        given = one_split(mode, dtype(threshold))
        mirrored = _mirrored(given, columns=1)
        assert mirrored is not None
        assert not mirrored.missing_true.any()
        t = given.threshold[0]
        near = [t, np.nextafter(t, dtype(np.inf)), np.nextafter(t, dtype(-np.inf)), -t]
        x = np.array([[*near, np.nan, np.inf, -np.inf, 0.0, -0.0]], dtype).T
        np.testing.assert_array_equal(
            leaf_index(mirrored, np.concatenate([x, -x], axis=1)), leaf_index(given, x)
        )


@pytest.mark.parametrize("threshold", [0.0, -0.0, 1e-45, np.inf, -np.inf, np.nan, MAX])
def test_a_threshold_without_a_mirror_image_keeps_its_flag(threshold: float) -> None:
    """Next to zero a session may round to zero; the float behind the largest is infinite."""
    assert _mirrored(one_split(Mode.LEQ, np.float32(threshold)), columns=1) is None


@pytest.mark.parametrize("mode", [Mode.EQ, Mode.NEQ], ids=lambda mode: mode.name)
def test_a_flagged_comparison_for_equality_keeps_its_flag(mode: Mode) -> None:
    assert _mirrored(one_split(mode, np.float32(1)), columns=1) is None


def test_rows_of_unknown_width_keep_their_flags(
    diabetes: tuple[onnx.ModelProto, NDArray[np.float32]],
) -> None:
    model = onnx.ModelProto()
    model.CopyFrom(diabetes[0])
    model.graph.input[0].type.tensor_type.shape.dim[1].ClearField("dim_value")
    assert FLAGS in trees_of(rewrite_trees(model, ml_opset=5, mirrored=True))


def one_split(mode: Mode, threshold: Any) -> Forest:
    """``x0 ? threshold``: leaf 0 if true or NaN, else leaf 1."""
    given = small_forest([(~0, ~1)], [0], [1.0, 2.0])
    return replace(
        given,
        feature=np.array([0], np.int32),
        mode=np.array([mode], np.uint8),
        threshold=np.array([threshold]),
        missing_true=np.array([True]),
    )


def test_equal_subtrees_of_several_trees_are_one() -> None:
    """The trees of the example in :func:`equal_subtrees`."""
    pairs = [(1, ~0), (~1, ~2), (~1, ~2), (4, ~0), (~1, ~2)]
    given = small_forest(pairs, [0, 2, 3], [1.0, 2.0, 3.0])
    given = replace(
        given,
        feature=np.array([0, 1, 1, 0, 1], np.int32),
        threshold=np.array([5, 6, 6, 5, 6], np.float32),
    )
    assert equal_subtrees(given).tolist() == [0, 1, 1, 0, 1]
    shared = share_subtrees(given)
    assert shared.n_splits == 2
    assert shared.roots.tolist() == [0, 1, 0]
    x = np.array([[0, 0], [0, 9], [9, 0], [9, 9]], np.float32)
    np.testing.assert_array_equal(leaf_index(shared, x), leaf_index(given, x))


def test_equal_subtrees_of_one_tree_stay_two() -> None:
    """onnxruntime refuses a split that is reached in two ways within a tree."""
    given = small_forest([(1, 2), (~0, ~1), (~0, ~1)], [0], [1.0, 2.0])
    given = replace(
        given, feature=np.array([0, 1, 1], np.int32), threshold=np.array([5, 6, 6], np.float32)
    )
    assert share_subtrees(given) is given


def test_subtrees_that_differ_in_one_thing_stay_apart() -> None:
    same = small_forest([(~0, ~1), (~0, ~1)], [0, 1], [1.0, 2.0])
    same = replace(same, threshold=np.zeros(2, np.float32))
    assert share_subtrees(same).n_splits == 1
    others: dict[str, Any] = {
        "feature": np.array([0, 1], np.int32),
        "threshold": np.array([1, 2], np.float32),
        "mode": np.array([Mode.LEQ, Mode.LT], np.uint8),
        "missing_true": np.array([True, False]),
        "true_child": np.array([~0, ~1], np.int32),
    }
    for name, values in others.items():
        assert share_subtrees(replace(same, **{name: values})).n_splits == 2


def test_a_forest_on_few_rows_shrinks_by_its_equal_subtrees(
    iris: tuple[onnx.ModelProto, NDArray[np.float32]],
) -> None:
    model, x = iris
    small = rewrite_trees(model, ml_opset=5)
    (node,) = (node for node in small.graph.node if node.op_type == "TreeEnsemble")
    tree = read(node)
    written, walked = tree.n_splits, len(unfold(tree).old)
    assert written < 0.85 * walked
    rows = probes(model, x, 600)
    assert_same(outputs(small, rows), outputs(model, rows))
    assert_same(reference_outputs(small, rows[:5]), outputs(model, rows[:5]))
