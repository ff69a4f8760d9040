from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.metrics import accuracy_score, r2_score, root_mean_squared_error

from stages.common.files import read_json
from stages.common.models import Answer, ask_onnx, ask_original, by_class, fit, open_session
from stages.common.onnx_model import to_bytes
from stages.common.params import Train
from stages.common.table import Column, Schema
from stages.convert import __main__ as convert
from stages.convert.conversion import to_onnx
from stages.evaluate import __main__ as evaluate
from stages.evaluate.metrics import compare_models, compare_on_probes
from stages.evaluate.probes import accepts_missing, probe_rows
from stages.evaluate.thresholds import split_thresholds
from stages.prepare import __main__ as prepare
from stages.quantize import __main__ as quantize
from stages.train import __main__ as train
from stages.train.estimator import build
from tests.conftest import default_params, numeric_schema, write_params
from tests.test_convert import MIXED, mixed_rows

CLASSIFICATION_KEYS = {
    *("original_size_kb", "onnx_size_kb", "quantized_size_kb", "onnx_size_reduction_pct", "quantized_size_reduction_pct"),
    *("quantized_vs_onnx_size_ratio", "original_accuracy", "onnx_accuracy", "quantized_accuracy", "accuracy_loss_pp"),
    *("onnx_agreement", "quantized_agreement", "onnx_max_probability_diff", "quantized_max_probability_diff"),
    *("probe_rows", "onnx_probe_agreement", "quantized_probe_agreement", "test_rows", "quantized_modified"),
    *("onnx_max_relative_diff", "onnx_step_rows", "onnx_rounded_rows"),
}
"""The keys of the contract for classifiers with probabilities."""

REGRESSION_KEYS = {
    *(key for key in CLASSIFICATION_KEYS if "size" in key or key in {"probe_rows", "test_rows", "quantized_modified"}),
    *("onnx_max_relative_diff", "onnx_step_rows", "onnx_rounded_rows"),
    *(f"{model}_{key}" for model in ("original", "onnx", "quantized") for key in ("r2", "rmse")),
    *(f"{model}_{key}" for model in ("onnx", "quantized") for key in ("max_abs_diff", "within_tolerance")),
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
    params = default_params(data__source="diabetes", train__estimator="GradientBoostingRegressor", train__params={})
    write_params(workspace, params)
    for stage in (prepare, train, convert, quantize, evaluate):
        stage.main()
    assert set(read_json(workspace / "outputs" / "metrics.json")) == REGRESSION_KEYS


def test_scores_are_those_of_scikit_learn() -> None:
    y = load_iris(return_X_y=True)[1]
    answers = [Answer(values, None) for values in (y, np.roll(y, 3), np.roll(y, 60))]
    metrics = compare_models(numeric_schema(4), y, answers, 0.001)
    assert metrics["quantized_accuracy"] == accuracy_score(y, np.roll(y, 60))
    assert metrics["accuracy_loss_pp"] == 100 * (1 - accuracy_score(y, np.roll(y, 60)))
    assert metrics["onnx_agreement"] == accuracy_score(y, np.roll(y, 3))


def test_regression_scores_are_those_of_scikit_learn() -> None:
    x, y = load_diabetes(return_X_y=True)
    predicted = LinearRegression().fit(x, y).predict(x)
    answers = [Answer(values, None) for values in (predicted, predicted + 0.05, predicted * 1.1)]
    metrics = compare_models(numeric_schema(10, "regression", target_std=100.0), y, answers, 0.001)
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
    answer = ask_original(model, {"X": x}, numeric_schema(10, "regression"))
    assert answer.values.shape == (442,)


def test_decision_scores_are_named_scores_and_undefined_ones_left_out() -> None:
    values = np.array([0, 1])
    scores = np.array([[-1.0], [2.0]])
    assert (by_class(scores) == [[1, -1], [-2, 2]]).all()
    two, three = np.hstack([-scores, scores]), np.array([[3.0, 1.0, 2.0], [1.0, 2.0, 3.0]])
    binary = compare_models(numeric_schema(2), values, [Answer(values, each, proper=False) for each in (two, two, two + 1)], 0.1)
    assert (binary["onnx_max_score_diff"], binary["quantized_max_score_diff"]) == (0, 1)
    half, first = two + np.array([0.0, 0.5]), -two  # one column wrong; the sign of libsvm
    halves = compare_models(numeric_schema(2), values, [Answer(values, each, proper=False) for each in (two, half, first)], 0.1)
    assert (halves["onnx_max_score_diff"], halves["quantized_max_score_diff"]) == (0.5, 4)
    other = compare_models(numeric_schema(2), values, [Answer(values, each, proper=False) for each in (two, two, three)], 0.1)
    assert "quantized_max_score_diff" not in other
    assert not [key for key in (*binary, *other) if "probability" in key]


def test_every_threshold_and_both_its_neighbours_are_probed() -> None:
    x, _, model = forest_on_iris()
    thresholds = split_thresholds(model, numeric_schema(4))
    probes = probe_rows({"X": x}, thresholds, 2000, missing=False, unseen=True, seed=0)["X"]
    for _, column, values in thresholds:
        present = set(probes[:, column])
        assert present >= set(values)
        assert present >= set(np.nextafter(values, np.float32(-np.inf)))
        assert present >= set(np.nextafter(values, np.float32(np.inf)))


def test_thresholds_are_those_of_the_fitted_trees() -> None:
    _, forest, model = forest_on_iris()
    for _, column, values in split_thresholds(model, numeric_schema(4)):
        fitted = np.concatenate([tree.tree_.threshold[tree.tree_.feature == column] for tree in forest.estimators_])
        below = np.nextafter(fitted.astype(np.float32), np.float32(-np.inf))
        expected = np.where(fitted.astype(np.float32) <= fitted, fitted.astype(np.float32), below)
        assert set(values) == set(expected)


def test_thresholds_behind_imputation_and_encoding_are_traced_to_the_raw_columns() -> None:
    estimator = build(
        Train(estimator="RandomForestClassifier", params={"n_estimators": 10}, scale=False, model_path=None, trust=[]), MIXED, 0
    )
    fit(estimator, mixed_rows())
    columns = {(name, column) for name, column, _ in split_thresholds(to_onnx(estimator, MIXED, 12), MIXED)}
    assert columns == {("size", 0), ("weight", 0)}


def test_when_thresholds_outnumber_the_probes_a_random_choice_of_them_is_probed() -> None:
    x, _, model = forest_on_iris()
    thresholds = split_thresholds(model, numeric_schema(4))
    probes = probe_rows({"X": x}, thresholds, 20, missing=False, unseen=True, seed=0)["X"]
    exact = [(column, value) for _, column, values in thresholds for value in values]
    assert len(probes) == 20 < len(exact)
    assert all(any(row[column] == value for column, value in exact) for row in probes)


def test_probes_are_the_same_for_the_same_seed_and_others_for_another() -> None:
    rows, thresholds = mixed_rows().feeds, [("weight", 0, np.array([0.5], np.float32))]
    one, same, other = (probe_rows(rows, thresholds, 100, missing=True, unseen=True, seed=seed) for seed in (1, 1, 2))
    assert all(np.array_equal(one[name], same[name], equal_nan=name != "colour") for name in rows)
    assert not np.array_equal(one["colour"], other["colour"])


def test_mixed_probes_hold_unseen_categories_and_missing_numbers_only_where_accepted() -> None:
    rows = mixed_rows().feeds
    probes = probe_rows(rows, [], 500, missing=True, unseen=True, seed=0)
    assert "a category never seen" in probes["colour"]
    assert np.isnan(probes["weight"]).any()
    assert not np.isnan(probe_rows(rows, [], 500, missing=False, unseen=True, seed=0)["weight"]).any()


def test_whether_the_original_takes_missing_numbers_is_asked_of_it() -> None:
    x, y = load_diabetes(return_X_y=True)
    x, schema = x.astype(np.float32), numeric_schema(10, "regression")
    forest, line = RandomForestClassifier(2).fit(x, y > 100), LinearRegression().fit(x, y)
    assert accepts_missing(lambda feeds: forest.predict(feeds["X"]), {"X": x})
    assert not accepts_missing(lambda feeds: ask_original(line, feeds, schema), {"X": x})


def shifted(model: onnx.ModelProto, attribute: str, index: int, change: Any) -> onnx.ModelProto:
    """The model with one number of its tree node changed."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    node = next(node for node in result.graph.node if node.op_type.startswith("TreeEnsemble"))
    floats = next(item for item in node.attribute if item.name == attribute).floats
    floats[index] = change(np.float32(floats[index]))
    return result


def test_one_threshold_moved_to_the_next_float_is_caught_by_the_probes() -> None:
    x, y = load_diabetes(return_X_y=True)
    x = x.astype(np.float32)
    forest = GradientBoostingRegressor(n_estimators=5, random_state=0).fit(x, y)
    schema: Schema = numeric_schema(10, "regression", target_std=1e-3)
    model = to_onnx(forest, schema, 12)
    wrong = shifted(model, "nodes_values", 0, lambda value: np.nextafter(value, np.float32(np.inf)))
    probes = probe_rows({"X": x}, split_thresholds(model, schema), 2000, missing=False, unseen=True, seed=0)
    original = ask_original(forest, probes, schema)
    right, moved = (ask_onnx(open_session(to_bytes(each)), probes) for each in (model, wrong))
    shares = compare_on_probes(schema, [original, right, moved], tolerance=1.0)
    assert shares["onnx_probe_within_tolerance"] == 1
    assert shares["quantized_probe_within_tolerance"] < 1


def test_a_schema_with_a_scaled_column_gives_no_probe_thresholds() -> None:
    schema = Schema("classification", "t", (Column("a", "number", missing=False), Column("b", "number", missing=False)))
    estimator = build(Train(estimator="DecisionTreeClassifier", params={}, scale=True, model_path=None, trust=[]), schema, 0)
    x = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    estimator.fit(x, x[:, 0] > 0)
    assert split_thresholds(to_onnx(estimator, schema, 12), schema) == []
