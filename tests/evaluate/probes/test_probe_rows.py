"""Probe rows are seeded, hold what the original takes, and catch the smallest error."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import onnx
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_diabetes
from sklearn.ensemble import (
    GradientBoostingRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder
from sklearn.tree import DecisionTreeClassifier

from onnxpress.conversion.converting import to_onnx
from onnxpress.estimators.predicting import predict_original
from onnxpress.evaluate.metrics import compare_on_probes
from onnxpress.evaluate.probes.probe_rows import (
    UNSEEN_CATEGORY,
    accepted_missing,
    accepted_unseen,
    probe_rows,
)
from onnxpress.evaluate.probes.raw_columns import RawColumn
from onnxpress.graph.canonical import to_bytes
from onnxpress.runtime.predictions import Predictions
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.tables.rows import Feeds, sklearn_input
from tests.conftest import numeric_schema
from tests.support.probed_models import encoded, numbers


def test_an_infinite_threshold_is_left_out_and_all_probes_are_finite_or_missing() -> None:
    x = np.arange(100, dtype=np.float32)
    x[::2] = np.nan
    y = np.isnan(x).astype(int)
    tree = DecisionTreeClassifier(random_state=0).fit(x[:, None], y)
    assert np.isinf(tree.tree_.threshold).any()
    model, feeds = to_onnx(tree, numeric_schema(1), 12), {"X": x[:, None]}
    probes = probe_rows(
        model, feeds, partial(predict_original, tree, schema=numeric_schema(1)), 200, 0
    )
    assert (probes.at_thresholds.thresholds, probes.at_thresholds.hit) == (0, 0)
    assert len(probes) == 200
    assert not np.isinf(probes.feeds["X"]).any()
    assert np.isnan(probes.feeds["X"]).any()
    assert (tree.predict(probes.feeds["X"]) == np.isnan(probes.feeds["X"][:, 0])).all()


def test_probes_are_the_same_for_the_same_seed_and_others_for_another() -> None:
    schema, feeds, _, model = encoded()
    onnx_model, ask = to_onnx(model, schema, 12), partial(predict_original, model, schema=schema)
    one, same, other = (probe_rows(onnx_model, feeds, ask, 500, seed).feeds for seed in (1, 1, 2))
    assert all(np.array_equal(one[name], same[name]) for name in feeds)
    assert not np.array_equal(one["city"], other["city"])


def test_a_model_without_trees_gets_mixed_rows_only() -> None:
    x, y = numbers()
    model = LogisticRegression().fit(x, y)
    schema = numeric_schema(5)
    probes = probe_rows(
        to_onnx(model, schema, 12),
        {"X": x},
        partial(predict_original, model, schema=schema),
        300,
        0,
    )
    assert (len(probes), len(probes.at_thresholds), probes.at_thresholds.operators) == (300, 0, 0)
    assert all(set(probes.feeds["X"][:, column]) <= set(x[:, column]) for column in range(5))


def predicting(values: Callable[[Feeds], Any]) -> Callable[[Feeds], Predictions]:
    return lambda feeds: Predictions(np.asarray(values(feeds), np.float64), None)


def test_missing_numbers_are_accepted_where_the_original_predicts_a_number() -> None:
    x, y = load_diabetes(return_X_y=True)
    x, schema = x.astype(np.float32), numeric_schema(10, "regression")
    every = frozenset(RawColumn("X", position) for position in range(10))
    forest, line = DecisionTreeClassifier(max_depth=2).fit(x, y > 100), LinearRegression().fit(x, y)
    assert accepted_missing(predicting(lambda feeds: forest.predict(feeds["X"])), {"X": x}) == every
    assert accepted_missing(partial(predict_original, line, schema=schema), {"X": x}) == frozenset()
    propagating = predicting(lambda feeds: feeds["X"] @ line.coef_)
    assert accepted_missing(propagating, {"X": x}) == frozenset()


def test_missing_numbers_are_accepted_per_column_where_the_fit_saw_some() -> None:
    x, y = numbers()
    x[::9, 1] = np.nan
    imputed = ColumnTransformer([("i", SimpleImputer(), [1]), ("n", "passthrough", [0, 2, 3, 4])])
    model = make_pipeline(imputed, LogisticRegression()).fit(x, y)
    accepted = accepted_missing(
        partial(predict_original, model, schema=numeric_schema(5)), {"X": x}
    )
    assert accepted == {RawColumn("X", 1)}
    probes = probe_rows(
        to_onnx(model, numeric_schema(5), 12),
        {"X": x},
        partial(predict_original, model, schema=numeric_schema(5)),
        400,
        0,
    ).feeds["X"]
    assert np.isnan(probes).any(axis=0).tolist() == [False, True, False, False, False]


def test_unseen_categories_are_only_in_columns_that_take_them_and_rare_ones_in_all() -> None:
    schema, feeds, y, model = encoded()
    feeds["city"][:1] = "a city with one row"
    encoders = [
        ("strict", OrdinalEncoder(), ["city"]),
        ("lenient", OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["plan"]),
        ("numbers", "passthrough", ["a", "b"]),
    ]
    feeds["city"] = feeds["city"].astype(object)
    feeds["city"][0, 0] = "a city with one row"
    model = make_pipeline(ColumnTransformer(encoders), LogisticRegression()).fit(
        sklearn_input(feeds), y
    )
    ask = partial(predict_original, model, schema=schema)
    assert accepted_unseen(ask, feeds) == {RawColumn("plan", 0)}
    probes = probe_rows(to_onnx(model, schema, 12), feeds, ask, 1000, 0).feeds
    assert UNSEEN_CATEGORY in probes["plan"]
    assert UNSEEN_CATEGORY not in probes["city"]
    assert (probes["city"] == "a city with one row").sum() > 1
    ask(probes)


def shifted(model: onnx.ModelProto, index: int) -> onnx.ModelProto:
    """The model with one threshold moved to the next float32."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    node = next(node for node in result.graph.node if node.op_type.startswith("TreeEnsemble"))
    floats = next(item for item in node.attribute if item.name == "nodes_values").floats
    floats[index] = np.nextafter(np.float32(floats[index]), np.float32(np.inf))
    return result


def test_any_threshold_moved_to_the_next_float_is_caught_by_the_probes() -> None:
    x, y = load_diabetes(return_X_y=True)
    x = x.astype(np.float32)
    forest = GradientBoostingRegressor(n_estimators=3, random_state=0).fit(x, y)
    schema = numeric_schema(10, "regression", target_std=1e-3)
    model = to_onnx(forest, schema, 12)
    feeds = probe_rows(
        model, {"X": x}, partial(predict_original, forest, schema=schema), 2000, 0
    ).feeds
    original = predict_original(forest, feeds, schema)
    right = predict_onnx(open_session(to_bytes(model)), feeds)
    splits = [i for i, mode in enumerate(modes(model)) if mode != b"LEAF"]
    assert len(splits) == 21
    for index in splits:
        moved = predict_onnx(open_session(to_bytes(shifted(model, index))), feeds)
        shares = compare_on_probes(schema, [original, right, moved], tolerance=1.0)
        assert shares["onnx_probe_within_tolerance"] == 1
        assert shares["quantized_probe_within_tolerance"] < 1


def modes(model: onnx.ModelProto) -> list[bytes]:
    node = next(node for node in model.graph.node if node.op_type.startswith("TreeEnsemble"))
    return list(next(item for item in node.attribute if item.name == "nodes_modes").strings)


def test_mixed_probes_hold_missing_numbers_and_unseen_categories() -> None:
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(200, 1)).astype(np.float32)
    feeds = {"colour": rng.choice(["red", "green", ""], (200, 1)), "weight": weight}
    model = to_onnx(LogisticRegression().fit(weight, weight[:, 0] > 0), numeric_schema(1), 12)
    predict = predicting(lambda feeds: np.zeros(len(feeds["weight"])))
    probes = probe_rows(model, feeds, predict, 500, 0).feeds
    assert UNSEEN_CATEGORY in probes["colour"]
    assert np.isnan(probes["weight"]).any()
