"""Refined forests: what they keep, what they save, and that they are the same every time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from onnxpress.commands.reproduce.clones import CPU_BASELINE
from onnxpress.graph.canonical import to_bytes
from onnxpress.quantize.candidates import NotApplicable, Rung
from onnxpress.quantize.forest.refined.ladder import refined, refined_candidates
from onnxpress.tables.rows import Rows
from tests.support.forest_models import converted, outputs

ROOT = Path(__file__).resolve().parents[3]
SMALL = Rung(trees=8, depth=4)
MEDIUM = Rung(trees=32, depth=5)


def noisy(rows: int, classes: int = 4) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    from sklearn.datasets import make_classification

    x, y = make_classification(
        rows, 12, n_informative=6, n_classes=classes, flip_y=0.15, random_state=5
    )
    return x.astype(np.float32), y


@pytest.fixture(scope="module")
def noisy_forest() -> tuple[onnx.ModelProto, Rows, Rows]:
    """A forest of 40 trees on noisy classes, its training rows, and as many new rows."""
    from sklearn.ensemble import RandomForestClassifier

    x, y = noisy(3000)
    forest = RandomForestClassifier(40, random_state=0).fit(x[:1500], y[:1500])
    return converted(forest, x), Rows({"X": x[:1500]}, y[:1500]), Rows({"X": x[1500:]}, y[1500:])


@pytest.fixture(scope="module")
def refined_noisy(noisy_forest: tuple[onnx.ModelProto, Rows, Rows]) -> onnx.ModelProto:
    model, train, _ = noisy_forest
    return refined(model, train, rung=MEDIUM, seed=0)


def test_a_refined_forest_is_a_hundred_times_smaller_at_the_accuracy_of_the_original(
    noisy_forest: tuple[onnx.ModelProto, Rows, Rows], refined_noisy: onnx.ModelProto
) -> None:
    model, train, test = noisy_forest
    others = [refined(model, train, rung=MEDIUM, seed=seed) for seed in (1, 2)]
    before, *after = (
        np.mean(outputs(m, test.feeds["X"])[0] == test.target)
        for m in (model, refined_noisy, *others)
    )
    # two standard errors of a paired difference on 1,500 rows
    assert np.mean(after) > before - 0.025
    assert 100 * len(to_bytes(refined_noisy, packed=True)) < len(model.SerializeToString())


def test_it_beats_plain_pruning_to_the_same_size(
    noisy_forest: tuple[onnx.ModelProto, Rows, Rows], refined_noisy: onnx.ModelProto
) -> None:
    from sklearn.ensemble import RandomForestClassifier

    _, train, test = noisy_forest
    # An ordinary split takes 11 bytes or more (feature, threshold, mode, two children with their
    # kinds), its leaf 4.
    leaves = len(to_bytes(refined_noisy, packed=True)) // (MEDIUM.trees * (11 + 4))
    # best-first growth to a number of leaves is the fully grown tree pruned best-first
    pruned = RandomForestClassifier(MEDIUM.trees, max_leaf_nodes=leaves, random_state=0)
    plain = pruned.fit(train.feeds["X"], train.target).score(test.feeds["X"], test.target)
    assert np.mean(outputs(refined_noisy, test.feeds["X"])[0] == test.target) > plain + 0.03


def test_probabilities_are_as_well_calibrated_as_the_originals(
    noisy_forest: tuple[onnx.ModelProto, Rows, Rows], refined_noisy: onnx.ModelProto
) -> None:
    model, _, test = noisy_forest
    of_truth = [
        outputs(m, test.feeds["X"])[1][np.arange(len(test)), test.target]
        for m in (model, refined_noisy)
    ]
    before, after = (-np.log(p.clip(1e-3)).mean() for p in of_truth)
    assert after < before + 0.05


def test_probabilities_sum_to_one(
    noisy_forest: tuple[onnx.ModelProto, Rows, Rows], refined_noisy: onnx.ModelProto
) -> None:
    np.testing.assert_allclose(
        outputs(refined_noisy, noisy_forest[2].feeds["X"])[1].sum(axis=1), 1, atol=1e-6
    )


def test_leaf_values_are_int8(refined_noisy: onnx.ModelProto) -> None:
    tables = [
        value
        for value in refined_noisy.graph.initializer
        if value.data_type == onnx.TensorProto.INT8
    ]
    assert [np.prod(table.dims) for table in tables] == [MEDIUM.trees * 2**MEDIUM.depth * 4]


def test_the_reference_evaluator_agrees_with_onnxruntime(
    noisy_forest: tuple[onnx.ModelProto, Rows, Rows], refined_noisy: onnx.ModelProto
) -> None:
    x = noisy_forest[2].feeds["X"][:200].copy()
    x[::7, 0], x[1::7, 1], x[2::7, 2] = np.nan, np.inf, -np.inf
    label, probabilities = map(np.asarray, ReferenceEvaluator(refined_noisy).run(None, {"X": x}))
    ours = outputs(refined_noisy, x)
    np.testing.assert_array_equal(ours[0], label)
    np.testing.assert_allclose(ours[1], probabilities, atol=1e-6)


def test_the_model_passes_the_full_check(refined_noisy: onnx.ModelProto) -> None:
    onnx.checker.check_model(refined_noisy, full_check=True)


def test_the_original_is_left_as_it_was(noisy_forest: tuple[onnx.ModelProto, Rows, Rows]) -> None:
    model, train, _ = noisy_forest
    before = model.SerializeToString(deterministic=True)
    refined(model, train, rung=SMALL, seed=0)
    assert model.SerializeToString(deterministic=True) == before


def test_every_process_kind_of_cpu_and_number_of_threads_writes_the_same_bytes(
    noisy_forest: tuple[onnx.ModelProto, Rows, Rows], tmp_path: Path
) -> None:
    model, train, _ = noisy_forest
    onnx.save(model, tmp_path / "model.onnx")
    np.savez(tmp_path / "rows.npz", x=train.feeds["X"], y=train.target)
    script = (
        "import sys, numpy as np, onnx\n"
        "from onnxpress.graph.canonical import to_bytes\n"
        "from onnxpress.tables.rows import Rows\n"
        "from onnxpress.quantize.candidates import Rung\n"
        "from onnxpress.quantize.forest.refined.ladder import refined\n"
        "rows = np.load('rows.npz')\n"
        "rows = Rows({'X': rows['x']}, rows['y'])\n"
        "model = refined(onnx.load('model.onnx'), rows, rung=Rung(8, 4), seed=3)\n"
        "sys.stdout.buffer.write(to_bytes(model, packed=True))\n"
    )
    written = [
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=tmp_path,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "OMP_NUM_THREADS": threads,
                "OPENBLAS_NUM_THREADS": threads,
                **cpu,
            },
            check=True,
            capture_output=True,
        ).stdout
        for threads in ("1", "2")
        for cpu in ({}, CPU_BASELINE)
    ]
    here = to_bytes(refined(model, train, rung=Rung(8, 4), seed=3), packed=True)
    assert written == [here] * 4


@pytest.mark.parametrize(
    "labels", [["adelie", "gentoo"], [-1, 1], ["a", "b", "c", "d"], [0, 1, 2, 3], [3, 5, 9, 11]]
)
def test_outputs_keep_their_names_types_and_shapes(labels: list[Any]) -> None:
    from sklearn.ensemble import RandomForestClassifier

    x, y = noisy(300, classes=len(labels))
    target = np.array(labels)[y]
    model = converted(RandomForestClassifier(10, random_state=0).fit(x, target), x)
    after = refined(model, Rows({"X": x}, target), rung=MEDIUM, seed=0)
    assert list(after.graph.input) == list(model.graph.input)
    assert list(after.graph.output) == list(model.graph.output)
    for old, new in zip(outputs(model, x), outputs(after, x), strict=True):
        assert (old.dtype, old.shape) == (new.dtype, new.shape)
    assert np.mean(outputs(after, x)[0] == outputs(model, x)[0]) > 0.8


@pytest.mark.parametrize("opset", [9, 12, 13, 21])
def test_it_works_at_the_opset_of_the_model(opset: int) -> None:
    from sklearn.ensemble import RandomForestClassifier

    x, y = noisy(300)
    model = converted(RandomForestClassifier(10, random_state=0).fit(x, y), x, opset=opset)
    after = refined(model, Rows({"X": x}, y), rung=SMALL, seed=0)
    assert max(entry.version for entry in after.opset_import if not entry.domain) == opset
    assert np.mean(outputs(after, x)[0] == y) > 0.6


@pytest.mark.parametrize("shift", [0.0, 1e5])
def test_regression_keeps_r2_wherever_the_target_lies(shift: float) -> None:
    from sklearn.datasets import make_friedman1
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.metrics import r2_score

    x, y = make_friedman1(800, 8, noise=1.0, random_state=0)
    x, y = x.astype(np.float32), y + shift
    forest = RandomForestRegressor(30, random_state=0).fit(x[:400], y[:400])
    model = converted(forest, x)
    after = refined(model, Rows({"X": x[:400]}, y[:400]), rung=MEDIUM, seed=0)
    prediction = outputs(after, x[400:])[0]
    assert prediction.shape == (400, 1)
    assert r2_score(y[400:], prediction) > forest.score(x[400:], y[400:]) - 0.01
    assert 100 * len(to_bytes(after, packed=True)) < len(model.SerializeToString())


def class_of_missing() -> onnx.ModelProto:
    """One tree: class 2 where feature 0 is missing, else 1 where feature 1 is positive, else 0."""
    node = onnx.helper.make_node(
        "TreeEnsembleClassifier",
        ["X"],
        ["label", "probabilities"],
        domain="ai.onnx.ml",
        nodes_treeids=[0] * 5,
        nodes_nodeids=list(range(5)),
        nodes_featureids=[0, 1, 0, 0, 0],
        nodes_values=[3e38, 0.0, 0.0, 0.0, 0.0],  # NaN is not below anything
        nodes_modes=["BRANCH_LEQ"] * 2 + ["LEAF"] * 3,
        nodes_truenodeids=[1, 2, 0, 0, 0],
        nodes_falsenodeids=[4, 3, 0, 0, 0],
        class_treeids=[0] * 3,
        class_nodeids=[2, 3, 4],
        class_ids=[0, 1, 2],
        class_weights=[1.0] * 3,
        classlabels_int64s=[0, 1, 2],
    )
    features = onnx.helper.make_tensor_value_info("X", onnx.TensorProto.FLOAT, [None, 3])
    label = onnx.helper.make_tensor_value_info("label", onnx.TensorProto.INT64, [None])
    probabilities = onnx.helper.make_tensor_value_info(
        "probabilities", onnx.TensorProto.FLOAT, [None, 3]
    )
    graph = onnx.helper.make_graph([node], "missing", [features], [label, probabilities])
    opsets = [onnx.helper.make_opsetid("", 12), onnx.helper.make_opsetid("ai.onnx.ml", 1)]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=7)


def test_missing_values_stay_information() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(1200, 3)).astype(np.float32)
    gone = random.random(1200) < 0.4
    x[gone, 0] = np.nan
    y = np.where(gone, 2, x[:, 1] > 0).astype(np.int64)
    after = refined(class_of_missing(), Rows({"X": x[:800]}, y[:800]), rung=SMALL, seed=0)
    assert np.mean(outputs(after, x[800:])[0] == y[800:]) > 0.97


def test_what_prepares_the_features_is_kept() -> None:
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y = noisy(600)
    boosting = GradientBoostingClassifier(n_estimators=20, random_state=0)
    model = converted(make_pipeline(StandardScaler(), boosting).fit(x, y), x)
    after = refined(model, Rows({"X": x}, y), rung=MEDIUM, seed=0)
    assert after.graph.node[0].op_type == "Scaler"
    assert np.mean(outputs(after, x)[0] == outputs(model, x)[0]) > 0.9


def test_one_column_per_input_is_kept() -> None:
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    random = np.random.default_rng(0)
    colour = random.choice(["red", "green", "blue"], 600).astype(object)
    size = random.normal(size=600).astype(np.float32)
    y = ((colour == "red") ^ (size > 0.3)).astype(np.int64)
    table = np.stack([size.astype(object), colour], axis=1)
    columns = make_column_transformer(("passthrough", [0]), (OneHotEncoder(), [1]))
    pipeline = make_pipeline(columns, RandomForestClassifier(20, random_state=0)).fit(table, y)
    kinds = [("size", FloatTensorType([None, 1])), ("colour", StringTensorType([None, 1]))]
    model = convert_sklearn(
        pipeline, initial_types=kinds, options={"zipmap": False}, target_opset=12
    )
    feeds: dict[str, NDArray[Any]] = {"size": size[:, None], "colour": colour[:, None]}
    after = refined(model, Rows(feeds, y), rung=SMALL, seed=0)
    session = ort.InferenceSession(after.SerializeToString(), providers=["CPUExecutionProvider"])
    assert np.mean(session.run(None, feeds)[0] == y) > 0.97


def test_a_model_without_trees_is_refused() -> None:
    from sklearn.linear_model import LogisticRegression

    x, y = noisy(200)
    with pytest.raises(NotApplicable, match="no tree ensemble"):
        refined(converted(LogisticRegression().fit(x, y), x), Rows({"X": x}, y), rung=SMALL, seed=0)


def test_labels_that_are_not_those_of_the_rows_are_refused(
    noisy_forest: tuple[onnx.ModelProto, Rows, Rows],
) -> None:
    model, train, _ = noisy_forest
    with pytest.raises(NotApplicable, match="classes of the training rows"):
        refined(model, Rows(train.feeds, train.target + 1), rung=SMALL, seed=0)


def test_the_ladder_ascends_and_no_rung_is_larger_than_a_sixth_of_the_model() -> None:
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier

    x, y = load_iris(return_X_y=True)
    x = x.astype(np.float32)
    model = converted(RandomForestClassifier(100, random_state=42).fit(x, y), x)
    rungs = refined_candidates(model, objective="size", seed=42)
    assert len(rungs) > 2
    applied = [rung.apply(model, Rows({"X": x}, y)) for rung in (rungs[0], rungs[1], rungs[-1])]
    sizes = [len(to_bytes(after, packed=True)) for after in applied]
    assert sizes == sorted(sizes)
    assert len(model.SerializeToString()) / 6 >= sizes[-1]
    assert sizes[0] <= 1.5 * 1024
