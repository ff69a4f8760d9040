from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.metrics import accuracy_score, r2_score, root_mean_squared_error

from onnxpress.conversion.converting import to_onnx
from onnxpress.estimators.predicting import by_class, predict_original
from onnxpress.evaluate.metrics import compare_models, compare_on_probes
from onnxpress.pipeline.files import read_json
from onnxpress.runtime.predictions import Predictions
from stages import convert, evaluate, prepare, quantize, train
from tests.conftest import default_params, numeric_schema, write_params

CLASSIFICATION_KEYS = {
    *(
        "original_size_kb",
        "onnx_size_kb",
        "quantized_size_kb",
        "onnx_size_reduction_pct",
        "quantized_size_reduction_pct",
    ),
    *(
        "quantized_vs_onnx_size_ratio",
        "original_accuracy",
        "onnx_accuracy",
        "quantized_accuracy",
        "accuracy_loss_pp",
    ),
    *(
        "onnx_agreement",
        "quantized_agreement",
        "onnx_max_probability_diff",
        "quantized_max_probability_diff",
    ),
    *(
        "probe_rows",
        "onnx_probe_agreement",
        "quantized_probe_agreement",
        "test_rows",
        "quantized_modified",
    ),
    *("probe_thresholds", "probe_thresholds_hit"),
    *("onnx_max_relative_diff", "onnx_step_rows", "onnx_rounded_rows"),
}
"""The keys of the contract for forests with probabilities."""

REGRESSION_KEYS = {
    *(
        key
        for key in CLASSIFICATION_KEYS
        if "size" in key or key.startswith(("probe", "test")) or key == "quantized_modified"
    ),
    *("onnx_max_relative_diff", "onnx_step_rows", "onnx_rounded_rows"),
    *(f"{model}_{key}" for model in ("original", "onnx", "quantized") for key in ("r2", "rmse")),
    *(
        f"{model}_{key}"
        for model in ("onnx", "quantized")
        for key in ("max_abs_diff", "within_tolerance")
    ),
    *(f"{model}_probe_within_tolerance" for model in ("onnx", "quantized")),
    "r2_loss",
}


def forest_on_iris() -> tuple[Any, Any, onnx.ModelProto]:
    x, y = load_iris(return_X_y=True)
    x = x.astype(np.float32)
    model = RandomForestClassifier(20, random_state=0).fit(x, y)
    return x, model, to_onnx(model, numeric_schema(4), 12)


def test_metrics_json_has_exactly_the_keys_of_the_contract(workspace: Path) -> None:
    for stage in (prepare, train, convert, quantize, evaluate):
        stage.main()
    metrics = read_json(workspace / "outputs" / "metrics.json")
    assert set(metrics) == CLASSIFICATION_KEYS
    assert all(isinstance(value, int | float) for value in metrics.values())
    assert (metrics["test_rows"], metrics["probe_rows"]) == (30, 2000)


def test_regression_has_its_own_keys(workspace: Path) -> None:
    params = default_params(
        data__source="diabetes", train__estimator="GradientBoostingRegressor", train__params={}
    )
    write_params(workspace, params)
    for stage in (prepare, train, convert, quantize, evaluate):
        stage.main()
    assert set(read_json(workspace / "outputs" / "metrics.json")) == REGRESSION_KEYS


def test_scores_are_those_of_scikit_learn() -> None:
    y = load_iris(return_X_y=True)[1]
    predictions = [Predictions(values, None) for values in (y, np.roll(y, 3), np.roll(y, 60))]
    metrics = compare_models(numeric_schema(4), y, predictions, 0.001)
    assert metrics["quantized_accuracy"] == accuracy_score(y, np.roll(y, 60))
    assert metrics["accuracy_loss_pp"] == 100 * (1 - accuracy_score(y, np.roll(y, 60)))
    assert metrics["onnx_agreement"] == accuracy_score(y, np.roll(y, 3))


def test_regression_scores_are_those_of_scikit_learn() -> None:
    x, y = load_diabetes(return_X_y=True)
    predicted = LinearRegression().fit(x, y).predict(x)
    predictions = [
        Predictions(values, None) for values in (predicted, predicted + 0.05, predicted * 1.1)
    ]
    metrics = compare_models(
        numeric_schema(10, "regression", target_std=100.0), y, predictions, 0.001
    )
    assert metrics["original_r2"] == pytest.approx(r2_score(y, predicted))
    assert metrics["quantized_rmse"] == pytest.approx(root_mean_squared_error(y, predicted * 1.1))
    assert metrics["onnx_max_abs_diff"] == pytest.approx(0.05)
    assert metrics["onnx_within_tolerance"] == 1
    assert metrics["quantized_within_tolerance"] == np.mean(np.abs(predicted * 0.1) <= 0.1)


def test_a_column_of_predictions_is_compared_row_by_row_and_not_broadcast() -> None:
    x, y = load_diabetes(return_X_y=True)
    x = x.astype(np.float32)
    model = LinearRegression().fit(x, y.reshape(-1, 1))
    assert model.predict(x).shape == (442, 1)
    predictions = predict_original(model, {"X": x}, numeric_schema(10, "regression"))
    assert predictions.values.shape == (442,)


def test_decision_scores_are_named_scores_and_undefined_ones_left_out() -> None:
    values = np.array([0, 1])
    scores = np.array([[-1.0], [2.0]])
    assert (by_class(scores) == [[1, -1], [-2, 2]]).all()
    two, three = np.hstack([-scores, scores]), np.array([[3.0, 1.0, 2.0], [1.0, 2.0, 3.0]])
    binary = compare_models(
        numeric_schema(2),
        values,
        [Predictions(values, each, proper=False) for each in (two, two, two + 1)],
        0.1,
    )
    assert (binary["onnx_max_score_diff"], binary["quantized_max_score_diff"]) == (0, 1)
    half, first = two + np.array([0.0, 0.5]), -two  # one column wrong; the sign of libsvm
    halves = compare_models(
        numeric_schema(2),
        values,
        [Predictions(values, each, proper=False) for each in (two, half, first)],
        0.1,
    )
    assert (halves["onnx_max_score_diff"], halves["quantized_max_score_diff"]) == (0.5, 4)
    other = compare_models(
        numeric_schema(2),
        values,
        [Predictions(values, each, proper=False) for each in (two, two, three)],
        0.1,
    )
    assert "quantized_max_score_diff" not in other
    assert not [key for key in (*binary, *other) if "probability" in key]


def test_nan_agrees_with_nan_on_probes() -> None:
    copy = Predictions(np.array([1.0, np.nan, np.inf]), None)
    other = Predictions(np.array([1.0, 2.0, -np.inf]), None)
    shares = compare_on_probes(numeric_schema(1, "regression", 1.0), [copy, copy, other], 0.001)
    assert shares["onnx_probe_within_tolerance"] == 1
    assert shares["quantized_probe_within_tolerance"] == pytest.approx(1 / 3)
