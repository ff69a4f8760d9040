from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import onnx
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import (
    GradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier
from sklearn.svm import SVC, LinearSVC

from onnxpress.conversion.converting import NEWEST_OPSET, to_onnx
from onnxpress.errors import UserError
from onnxpress.estimators.building import ColumnSteps, build
from onnxpress.estimators.fitting import fit
from onnxpress.estimators.predicting import predict_original
from onnxpress.graph.canonical import canonical, same_computation, to_bytes
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.tables.rows import Rows, sklearn_input
from onnxpress.tables.schema import Column, Schema
from tests.conftest import ROOT, numeric_schema

MIXED = Schema(
    "classification",
    "sort",
    (
        Column("size", "number", missing=True),
        Column("colour", "category", missing=True),
        Column("weight", "number", missing=False),
    ),
)


SCALED = ColumnSteps(scale=True)


def mixed_rows() -> Rows:
    rng = np.random.default_rng(0)
    size = rng.normal(size=(200, 1)).astype(np.float32)
    size[::7] = np.nan
    colour = rng.choice(["red", "green", ""], (200, 1))
    weight = rng.normal(size=(200, 1)).astype(np.float32)
    target = np.where((weight[:, 0] > 0) ^ (colour[:, 0] == "red"), "heavy", "light")
    return Rows({"size": size, "colour": colour, "weight": weight}, target)


def values(infos: Any) -> list[tuple[str, int, list[int]]]:
    """Name, element type and dimensions (0 where free) of inputs or outputs."""
    return [
        (
            info.name,
            info.type.tensor_type.elem_type,
            [dim.dim_value for dim in info.type.tensor_type.shape.dim],
        )
        for info in infos
    ]


def test_a_classifier_takes_one_matrix_and_returns_label_and_probabilities() -> None:
    x, y = load_iris(return_X_y=True)
    model = to_onnx(
        RandomForestClassifier(3, random_state=0).fit(x.astype(np.float32), y),
        numeric_schema(4),
        12,
    )
    assert values(model.graph.input) == [("X", onnx.TensorProto.FLOAT, [0, 4])]
    assert values(model.graph.output) == [
        ("label", onnx.TensorProto.INT64, [0]),
        ("probabilities", onnx.TensorProto.FLOAT, [0, 3]),
    ]
    assert "ZipMap" not in [node.op_type for node in model.graph.node]


@pytest.mark.parametrize(
    ("estimator", "operators"),
    [
        (RandomForestClassifier(5, random_state=0), ["TreeEnsembleClassifier"]),
        (LogisticRegression(max_iter=1000), ["LinearClassifier", "Normalizer"]),
    ],
    ids=["forest", "linear"],
)
def test_labels_that_are_integers_are_not_cast_to_integers(
    estimator: Any, operators: list[str]
) -> None:
    x, y = load_iris(return_X_y=True)
    model = to_onnx(estimator.fit(x.astype(np.float32), y), numeric_schema(4), 12)
    assert [node.op_type for node in model.graph.node] == operators
    said = predict_onnx(open_session(to_bytes(model)), {"X": x.astype(np.float32)}).values
    np.testing.assert_array_equal(said, estimator.predict(x.astype(np.float32)))


def test_a_regressor_returns_a_column_of_predictions() -> None:
    x, y = load_diabetes(return_X_y=True)
    model = to_onnx(
        LinearRegression().fit(x.astype(np.float32), y), numeric_schema(10, "regression"), 12
    )
    assert values(model.graph.output) == [("prediction", onnx.TensorProto.FLOAT, [0, 1])]


def test_mixed_columns_become_an_input_each_and_string_labels_stay_strings() -> None:
    rows = mixed_rows()
    estimator = build("RandomForestClassifier", {"n_estimators": 5}, MIXED, 0)
    fit(estimator, rows)
    model = to_onnx(estimator, MIXED, 12)
    assert values(model.graph.input) == [
        ("size", onnx.TensorProto.FLOAT, [0, 1]),
        ("colour", onnx.TensorProto.STRING, [0, 1]),
        ("weight", onnx.TensorProto.FLOAT, [0, 1]),
    ]
    assert values(model.graph.output)[0] == ("label", onnx.TensorProto.STRING, [0])
    rows.feeds["colour"][0] = "never seen"
    original = predict_original(estimator, rows.feeds, MIXED)
    answer = predict_onnx(open_session(to_bytes(model)), rows.feeds)
    assert (answer.values == original.values).all()
    assert original.scores is not None
    assert answer.scores is not None
    assert np.abs(answer.scores - original.scores).max() < 1e-6


@pytest.mark.parametrize(
    "estimator",
    [LinearSVC(random_state=0), RidgeClassifier(), SVC()],
    ids=lambda e: type(e).__name__,
)
@pytest.mark.parametrize("data", [load_iris, load_breast_cancer], ids=["multi-class", "binary"])
def test_without_predict_proba_the_second_output_is_called_scores(
    estimator: Any, data: Any
) -> None:
    x, y = data(return_X_y=True)
    x = ((x - x.mean(axis=0)) / x.std(axis=0)).astype(np.float32)
    model = to_onnx(estimator.fit(x, y), numeric_schema(x.shape[1]), 12)
    assert [output.name for output in model.graph.output] == ["label", "scores"]
    assert (
        predict_onnx(open_session(to_bytes(model)), {"X": x}).values == estimator.predict(x)
    ).all()


def test_an_estimator_without_proba_converts_inside_a_pipeline_too() -> None:
    rows = mixed_rows()
    estimator = build("LinearSVC", {}, MIXED, 0, SCALED)
    fit(estimator, rows)
    answer = predict_onnx(open_session(to_bytes(to_onnx(estimator, MIXED, 12))), rows.feeds)
    assert (answer.values == estimator.predict(sklearn_input(rows.feeds))).all()


@pytest.mark.parametrize("opset", [12, 15, NEWEST_OPSET])
@pytest.mark.parametrize(
    "estimator",
    [
        GradientBoostingClassifier(n_estimators=3, random_state=0),
        LogisticRegression(max_iter=500),
        RandomForestClassifier(3, random_state=0),
    ],
    ids=lambda e: type(e).__name__,
)
def test_the_model_declares_the_opset_that_was_asked_for(estimator: Any, opset: int) -> None:
    x, y = load_iris(return_X_y=True)
    model = to_onnx(estimator.fit(x.astype(np.float32), y), numeric_schema(4), opset)
    assert [(item.domain, item.version) for item in model.opset_import if not item.domain] == [
        ("", opset)
    ]
    assert (
        predict_onnx(open_session(to_bytes(model)), {"X": x.astype(np.float32)}).values
        == estimator.predict(x)
    ).mean() == 1


def test_an_estimator_that_onnx_cannot_express_is_named() -> None:
    x, y = load_iris(return_X_y=True)
    from sklearn.semi_supervised import LabelPropagation

    with pytest.raises(
        UserError,
        match=r"convert LabelPropagation to ONNX opset 12 .* another opset or another estimator",
    ):
        to_onnx(LabelPropagation().fit(x, y), numeric_schema(4), 12)


HASHES = """
import hashlib
import numpy as np
from tests.conversion.test_convert import MIXED, mixed_rows, numeric_schema
from sklearn.datasets import load_iris
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.ensemble import RandomForestClassifier
from onnxpress.estimators.fitting import fit
from onnxpress.graph.canonical import to_bytes
from onnxpress.conversion.converting import to_onnx
from onnxpress.estimators.building import ColumnSteps, build
x, y = load_iris(return_X_y=True)
forest = RandomForestClassifier(3, random_state=0)
network = MLPClassifier((5,), random_state=0, max_iter=2)
models = [forest, KNeighborsClassifier(), network]
import warnings
warnings.filterwarnings("ignore", message="Stochastic Optimizer")
for model in models:
    model.fit(x.astype(np.float32), y)
    print(hashlib.md5(to_bytes(to_onnx(model, numeric_schema(4), 12))).hexdigest())
pipeline = build("LogisticRegression", {}, MIXED, 0, ColumnSteps(scale=True))
fit(pipeline, mixed_rows())
print(hashlib.md5(to_bytes(to_onnx(pipeline, MIXED, 12))).hexdigest())
"""


def test_the_bytes_do_not_depend_on_the_hash_seed() -> None:
    runs = {
        subprocess.run(
            [sys.executable, "-c", HASHES],
            env={**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1"},
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(runs) == 1
    assert len(runs.pop().split()) == 4


def test_canonical_form_has_a_fixed_graph_name_and_sorted_unique_opsets(
    digits_forest_onnx: onnx.ModelProto,
) -> None:
    model = onnx.ModelProto()
    model.CopyFrom(digits_forest_onnx)
    model.graph.name = "6f1ed002ab5595859014ebf0951522d9"
    model.producer_version = "1.20.0"
    del model.opset_import[:]
    model.opset_import.extend(
        onnx.helper.make_opsetid(domain, version)
        for domain, version in (("ai.onnx.ml", 1), ("", 9), ("", 12))
    )
    result = canonical(model)
    assert result.graph.name == "onnxpress"
    assert [(item.domain, item.version) for item in result.opset_import] == [
        ("", 12),
        ("ai.onnx.ml", 1),
    ]
    assert result.producer_version == ""
    assert to_bytes(result) == to_bytes(model)


def test_packed_bytes_are_smaller_and_load_as_an_equal_model(
    digits_forest_onnx: onnx.ModelProto,
) -> None:
    plain, packed = to_bytes(digits_forest_onnx), to_bytes(digits_forest_onnx, packed=True)
    assert len(packed) < len(plain)
    assert onnx.load_from_string(packed) == onnx.load_from_string(plain)


def test_two_models_of_the_same_computation_are_told_from_two_that_are_not(
    digits_forest_onnx: onnx.ModelProto,
) -> None:
    renamed = onnx.ModelProto()
    renamed.CopyFrom(digits_forest_onnx)
    renamed.graph.node[0].name = "another"
    renamed.opset_import.add(domain="com.microsoft", version=1)
    assert same_computation(digits_forest_onnx, renamed)
    attribute = next(
        item for item in renamed.graph.node[0].attribute if item.name == "nodes_values"
    )
    attribute.floats[0] += 1
    assert not same_computation(digits_forest_onnx, renamed)


@pytest.mark.parametrize(
    "estimator", [RandomForestRegressor(5, random_state=0), Ridge()], ids=lambda e: type(e).__name__
)
def test_regressors_answer_as_the_original_does(estimator: Any) -> None:
    x, y = load_diabetes(return_X_y=True)
    x = x.astype(np.float32)
    model = to_onnx(estimator.fit(x, y), numeric_schema(10, "regression"), 12)
    np.testing.assert_allclose(
        predict_onnx(open_session(to_bytes(model)), {"X": x}).values,
        estimator.predict(x),
        rtol=1e-5,
    )


def test_a_forest_behind_a_scaler_answers_as_the_original_does_on_a_lattice_of_values() -> None:
    """Whole numbers lie exactly on thresholds; a scaler that rounds differently moves them."""
    random = np.random.default_rng(0)
    x = random.integers(150, 250, (400, 3)).astype(np.float32)
    y = x[:, 0] / 7 + np.sin(x[:, 1]) + random.normal(size=400)
    schema = numeric_schema(3, task="regression")
    estimator = build("RandomForestRegressor", {"n_estimators": 20}, schema, 0, SCALED)
    fit(estimator, Rows({"X": x[:300]}, y[:300]))
    session = open_session(to_bytes(to_onnx(estimator, schema, 12)))
    original = predict_original(estimator, {"X": x}, schema)
    np.testing.assert_allclose(predict_onnx(session, {"X": x}).values, original.values, rtol=1e-6)
