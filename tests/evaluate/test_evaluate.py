from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    r2_score,
    roc_auc_score,
    root_mean_squared_error,
)

from onnxpress.conversion.converting import to_onnx
from onnxpress.estimators.predicting import by_class, predict_original
from onnxpress.evaluate.metrics import compare_models, compare_on_probes
from onnxpress.evaluate.scoring import WantedScores, find_scoring
from onnxpress.pipeline import inputs
from onnxpress.pipeline.files import read_json
from onnxpress.runtime.predictions import Predictions
from onnxpress.tables import mapped
from stages import convert, evaluate, prepare, quantize, train
from tests.conftest import default_params, numeric_schema, write_params

SIZES = {
    "original_size_kb",
    "onnx_size_kb",
    "quantized_size_kb",
    "onnx_size_reduction_pct",
    "quantized_size_reduction_pct",
    "quantized_vs_onnx_size_ratio",
    "quantized_modified",
}
ROWS = {
    "test_rows",
    "probe_rows",
    "probe_thresholds",
    "probe_thresholds_hit",
    "onnx_max_relative_diff",
    "onnx_step_rows",
    "onnx_rounded_rows",
    "onnx_tied_rows",
    "onnx_disagreement_upper",
    "quantized_disagreement",
    "quantized_disagreement_se",
    "quantized_disagreement_upper",
    "quantized_probe_disagreement",
    "quantized_probe_disagreement_upper",
}
OF_PROBABILITIES = ("log_loss", "brier", "calibration_error")
"""Losses of classifiers with probabilities."""


def of_each(*keys: str, models: tuple[str, ...] = ("original", "onnx", "quantized")) -> set[str]:
    return {f"{model}_{key}" for model in models for key in keys}


def drops(*keys: str) -> set[str]:
    """The keys of what the quantised model loses, each with its standard error."""
    return {f"quantized_{key}_drop{end}" for key in keys for end in ("", "_se")}


CLASSIFICATION_KEYS = {
    *SIZES,
    *ROWS,
    *of_each("accuracy", "recall_worst", *OF_PROBABILITIES),
    *of_each("agreement", "probe_agreement", models=("onnx", "quantized")),
    *of_each("max_probability_diff", models=("onnx", "quantized")),
    *drops("score", "accuracy", *OF_PROBABILITIES),
    "accuracy_loss_pp",
    "quantized_recall_classes",
    "quantized_rows_lost",
    "quantized_rows_won",
}
"""The keys of the contract for forests with probabilities; every class has few test rows."""

REGRESSION_KEYS = {
    *SIZES,
    *ROWS,
    *of_each("r2", "rmse"),
    *of_each("max_abs_diff", "within_tolerance", models=("onnx", "quantized")),
    *of_each("probe_within_tolerance", models=("onnx", "quantized")),
    *drops("score", "r2"),
    *(f"quantized_max_abs_error_p{percent}" for percent in (50, 95, 99)),
    *(f"quantized_max_abs_error_p{percent}_se" for percent in (50, 95)),
    "r2_loss",
}
"""The keys of regression; a hundred test rows say nothing about the error of the 99 % quantile."""


SCORING = find_scoring(WantedScores(), "classification", [0, 1], Predictions(np.zeros(1), None))
OF_NUMBERS = find_scoring(WantedScores(), "regression", (), Predictions(np.zeros(1), None))


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
    scoring = find_scoring(WantedScores(), "classification", [0, 1, 2], predictions[0])
    metrics = compare_models(numeric_schema(4), y, predictions, 0.001, scoring)
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
        numeric_schema(10, "regression", target_std=100.0), y, predictions, 0.001, OF_NUMBERS
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
        SCORING,
    )
    assert (binary["onnx_max_score_diff"], binary["quantized_max_score_diff"]) == (0, 1)
    half, first = two + np.array([0.0, 0.5]), -two  # one column wrong; the sign of libsvm
    halves = compare_models(
        numeric_schema(2),
        values,
        [Predictions(values, each, proper=False) for each in (two, half, first)],
        0.1,
        SCORING,
    )
    assert (halves["onnx_max_score_diff"], halves["quantized_max_score_diff"]) == (0.5, 4)
    other = compare_models(
        numeric_schema(2),
        values,
        [Predictions(values, each, proper=False) for each in (two, two, three)],
        0.1,
        SCORING,
    )
    assert "quantized_max_score_diff" not in other
    assert not [key for key in (*binary, *other) if "probability" in key]


def test_nan_agrees_with_nan_on_probes() -> None:
    copy = Predictions(np.array([1.0, np.nan, np.inf]), None)
    other = Predictions(np.array([1.0, 2.0, -np.inf]), None)
    shares = compare_on_probes(numeric_schema(1, "regression", 1.0), [copy, copy, other], 0.001)
    assert shares["onnx_probe_within_tolerance"] == 1
    assert shares["quantized_probe_within_tolerance"] == pytest.approx(1 / 3)


@pytest.mark.parametrize("score", ["average_precision", "roc_auc"])
def test_scores_of_rows_in_pieces_are_those_of_scikit_learn_on_all(
    score: str, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (mapped, inputs):
        monkeypatch.setattr(module, "PIECE_ROWS", 7)
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"a": random.normal(size=900), "c": random.choice(["u", "v"], 900)})
    frame["y"] = (frame["a"] + (frame["c"] == "u") + random.normal(size=900) > 1).astype(int)
    (workspace / "data" / "rows").mkdir()
    for number in range(3):
        frame[number::3].to_parquet(f"data/rows/{number}.parquet", index=False)
    params = default_params(
        data__source="data/rows",
        data__target="y",
        train__params={"n_estimators": 4, "max_depth": 4},
        quantize__method="none",
        evaluate__score=score,
        evaluate__probe_rows=0,
    )
    write_params(workspace, params)
    for stage in (prepare, train, convert, quantize, evaluate):
        stage.main()
    metrics = read_json(workspace / "outputs" / "metrics.json")
    test = pd.read_parquet("outputs/test.parquet")
    labels, probabilities = onnx_answers(test)
    measure = {"average_precision": average_precision_score, "roc_auc": roc_auc_score}[score]
    assert metrics["test_rows"] == len(test) > 100
    assert metrics[f"onnx_{score}"] == pytest.approx(measure(test["y"], probabilities), rel=1e-5)
    assert metrics["onnx_accuracy"] == pytest.approx(accuracy_score(test["y"], labels), rel=1e-5)
    told = pd.read_csv("outputs/predictions.csv")
    assert told["target"].tolist() == test["y"].tolist()
    assert told["onnx"].tolist() == labels.tolist()
    assert not [path for path in Path("outputs").iterdir() if path.name.startswith("tmp")]


def onnx_answers(test: pd.DataFrame) -> tuple[Any, Any]:
    """Ask onnxruntime for all rows at once: labels, and probabilities of the greater class."""
    session = onnxruntime.InferenceSession("outputs/model.onnx")
    feeds = {"a": test[["a"]].to_numpy(), "c": test[["c"]].to_numpy(object)}
    labels, probabilities = session.run(None, feeds)
    return labels, probabilities[:, 1].round(5)  # equal but for rounding is equal
