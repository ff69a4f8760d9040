"""Rows lie at the thresholds of scikit-learn's own trees, whatever comes before the trees."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from onnxpress.conversion.converting import to_onnx
from onnxpress.evaluate.lines import threshold_lines
from onnxpress.evaluate.probes.threshold_rows import ThresholdRows, threshold_rows
from onnxpress.graph.canonical import to_bytes
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.tables.rows import Feeds, sklearn_input
from onnxpress.tables.schema import Column, Schema
from tests.conftest import numeric_schema
from tests.support.probed_models import encoded, float32, numbers

Thresholds = set[tuple[int, float]]


MANY = 20_000


def below(threshold: float) -> float:
    """Return the largest float32 not above a float64 threshold.

    That is what ``x <= threshold`` means for a float32 x.
    """
    nearest = np.float32(threshold)
    return float(nearest if nearest <= threshold else np.nextafter(nearest, np.float32(-np.inf)))


def thresholds_of(trees: list[Any], columns: list[Any] | None = None) -> Thresholds:
    """Return the distinct finite thresholds of fitted trees, by column of the forest's input."""
    found = set()
    for number_, tree in enumerate(trees):
        of_tree = range(tree.n_features_in_) if columns is None else columns[number_]
        for feature, threshold in zip(tree.tree_.feature, tree.tree_.threshold, strict=True):
            if feature >= 0 and np.isfinite(threshold):
                found.add((int(of_tree[feature]), below(threshold)))
    return found


def trees_in(forest: Any) -> list[Any]:
    return [forest] if hasattr(forest, "tree_") else list(np.ravel(forest.estimators_))


def rows_of(estimator: Any, feeds: Feeds, schema: Schema, rows: int = MANY) -> ThresholdRows:
    return threshold_rows(to_onnx(estimator, schema, 12), feeds, rows, np.random.default_rng(0))


def split_apart(forest: Any, seen: np.ndarray[Any, Any]) -> Thresholds:
    """Return the thresholds whose node two successive rows reach and leave on different sides.

    The paths are scikit-learn's own.
    """
    found = set()
    for tree in trees_in(forest):
        passed = tree.decision_path(seen).toarray().astype(bool)
        together = passed[0::2] & passed[1::2]
        left = tree.tree_.children_left
        parted = np.zeros_like(together)
        inner = np.flatnonzero(left >= 0)
        parted[:, inner] = passed[0::2][:, left[inner]] != passed[1::2][:, left[inner]]
        for node in np.flatnonzero((together & parted).any(axis=0)):
            found.add((int(tree.tree_.feature[node]), below(tree.tree_.threshold[node])))
    return found


@pytest.mark.parametrize(
    "forest",
    [
        RandomForestClassifier(10, random_state=0),
        ExtraTreesClassifier(5, random_state=0),
        GradientBoostingRegressor(n_estimators=10, random_state=0),
        DecisionTreeClassifier(random_state=0),
    ],
    ids=lambda forest: type(forest).__name__,
)
def test_every_threshold_of_the_fitted_trees_parts_two_neighbouring_rows(forest: Any) -> None:
    x, y = numbers()
    forest.fit(x, y)
    task = "regression" if isinstance(forest, GradientBoostingRegressor) else "classification"
    made = rows_of(forest, {"X": x}, numeric_schema(5, task))
    expected = thresholds_of(trees_in(forest))
    assert (made.thresholds, made.hit) == (len(expected), len(expected))
    pairs = made.feeds["X"][: 2 * made.hit]
    assert split_apart(forest, pairs) == expected
    one, other = pairs[0::2], pairs[1::2]
    assert ((one != other).sum(axis=1) == 1).all()
    assert (np.nextafter(one, other) == other).all()


def test_a_threshold_itself_and_both_its_neighbours_are_probed() -> None:
    x, y = load_iris(return_X_y=True)
    x = x.astype(np.float32)
    forest = RandomForestClassifier(20, random_state=0).fit(x, y)
    rows = rows_of(forest, {"X": x}, numeric_schema(4)).feeds["X"]
    for column, threshold in thresholds_of(trees_in(forest)):
        exact = np.float32(threshold)
        assert {exact, *np.nextafter(exact, float32([-np.inf, np.inf]))} <= set(rows[:, column])


def test_thresholds_behind_an_imputer_are_hit_in_the_raw_columns() -> None:
    x, y = numbers(missing=True)
    model = make_pipeline(
        SimpleImputer(strategy="median"), RandomForestClassifier(10, random_state=0)
    ).fit(x, y)
    made = rows_of(model, {"X": x}, numeric_schema(5))
    expected = thresholds_of(trees_in(model[-1]))
    assert (made.thresholds, made.hit) == (len(expected), len(expected))
    assert split_apart(model[-1], model[:-1].transform(made.feeds["X"][: 2 * made.hit])) == expected


def test_thresholds_behind_a_scaler_are_hit_by_neighbours_of_the_raw_numbers() -> None:
    x, y = numbers()
    x = x * float32([1e3, 1, 1e-3, 7, 1]) + float32([5, 0, 0, 0, -3])
    model = make_pipeline(StandardScaler(), RandomForestClassifier(5, random_state=0)).fit(x, y)
    made = rows_of(model, {"X": x}, numeric_schema(5))
    expected = thresholds_of(trees_in(model[-1]))
    assert (made.thresholds, made.hit) == (len(expected), len(expected))
    pairs = made.feeds["X"][: 2 * made.hit]
    assert (np.nextafter(pairs[0::2], pairs[1::2]) == pairs[1::2]).all()
    scaled = model[0].transform(pairs)
    for column, threshold in expected:  # runtimes round a scaler differently in the last digit
        assert np.min(np.abs(scaled[:, column] - threshold)) <= 1e-5 * max(1, abs(threshold))


def test_thresholds_behind_encoders_in_another_order_are_hit_by_the_right_column() -> None:
    schema, feeds, _, model = encoded()
    made = rows_of(model, feeds, schema)
    expected = thresholds_of(trees_in(model[-1]))
    assert {column for column, _ in expected} == set(range(6))
    assert (made.thresholds, made.hit) == (len(expected), len(expected))
    pairs = {name: values[: 2 * made.hit] for name, values in made.feeds.items()}
    assert split_apart(model[-1], model[0].transform(sklearn_input(pairs))) == expected
    for row in range(0, 2 * made.hit, 2):
        differ = [name for name, values in pairs.items() if values[row, 0] != values[row + 1, 0]]
        assert differ == [made.columns[row].name] == [made.columns[row + 1].name]


def test_an_ordinal_threshold_is_probed_with_the_categories_on_both_sides_of_it() -> None:
    schema, feeds, _, model = encoded()
    made = rows_of(model, feeds, schema)
    (names,) = model[0].named_transformers_["ordinal"].categories_
    city = made.feeds["city"][: 2 * made.hit, 0]
    compared = {
        tuple(sorted(np.searchsorted(names, city[row : row + 2])))
        for row in range(0, 2 * made.hit, 2)
        if made.columns[row].name == "city"
    }
    thresholds = {
        threshold for column, threshold in thresholds_of(trees_in(model[-1])) if column == 0
    }
    assert {(low + high) / 2 for low, high in compared if high == low + 1} >= {
        t for t in thresholds if t % 1 == 0.5
    }


def test_bagged_trees_on_different_columns_share_their_thresholds() -> None:
    x, y = numbers()
    x[:, 4] = x[:, 3]  # equal columns are two columns all the same
    bag = BaggingClassifier(DecisionTreeClassifier(), 6, max_features=3, random_state=0).fit(x, y)
    made = rows_of(bag, {"X": x}, numeric_schema(5))
    expected = thresholds_of(bag.estimators_, bag.estimators_features_)
    assert (made.thresholds, made.hit) == (len(expected), len(expected))


def test_histogram_boosting_with_missing_values_has_its_finite_thresholds_hit() -> None:
    x, y = numbers(classes=2, missing=True)
    x[:, 4] = np.where(y == 1, np.nan, 1.0)  # split by "missing or not": an infinite threshold
    model = HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=5).fit(x[:, :4], y)
    made = rows_of(model, {"X": x[:, :4]}, numeric_schema(4))
    nodes = np.concatenate([tree.nodes for trees in model._predictors for tree in trees])
    inner = nodes[(nodes["is_leaf"] == 0) & np.isfinite(nodes["num_threshold"])]
    expected = {
        (int(f), below(t))
        for f, t in zip(inner["feature_idx"], inner["num_threshold"], strict=True)
    }
    assert (made.thresholds, made.hit) == (len(expected), len(expected))
    rows = made.feeds["X"]
    for column, threshold in expected:
        exact = np.float32(threshold)
        assert {exact, np.nextafter(exact, np.float32(np.inf))} <= set(rows[:, column])


def test_a_column_mixed_from_all_others_is_probed_through_one_of_them() -> None:
    x, y = numbers()
    model = make_pipeline(PCA(3), RandomForestClassifier(3, random_state=0)).fit(x, y)
    made = rows_of(model, {"X": x}, numeric_schema(5))
    expected = thresholds_of(trees_in(model[-1]))
    assert made.thresholds == len(expected)
    assert made.hit >= 0.9 * len(expected)
    one, other = made.feeds["X"][0 : 2 * made.hit : 2], made.feeds["X"][1 : 2 * made.hit : 2]
    assert (np.nextafter(one, other) == other).all()
    assert ((one != other).sum(axis=1) == 1).all()


def written_elsewhere() -> onnx.ModelProto:
    """A tree on two columns: text coded by Equal and Where, and a number scaled by Mul."""
    nodes = [
        helper.make_node("Equal", ["code", "word"], ["is"]),
        helper.make_node("Where", ["is", "seven", "two"], ["coded"]),
        helper.make_node("Mul", ["x", "half"], ["scaled"]),
        helper.make_node("Concat", ["scaled", "coded"], ["both"], axis=1),
        helper.make_node(
            "TreeEnsembleRegressor",
            ["both"],
            ["prediction"],
            domain="ai.onnx.ml",
            n_targets=1,
            nodes_treeids=[0] * 5,
            nodes_nodeids=[0, 1, 2, 3, 4],
            nodes_featureids=[1, 0, 0, 0, 0],
            nodes_modes=["BRANCH_LT", "BRANCH_GTE", "LEAF", "LEAF", "LEAF"],
            nodes_values=[7.0, 0.3, 0.0, 0.0, 0.0],
            nodes_truenodeids=[1, 3, 0, 0, 0],
            nodes_falsenodeids=[2, 4, 0, 0, 0],
            target_treeids=[0] * 3,
            target_nodeids=[2, 3, 4],
            target_ids=[0] * 3,
            target_weights=[1.0, 2.0, 3.0],
        ),
    ]
    constants = {"word": np.array(["yes"], object), "half": float32([0.5])}
    constants |= {"seven": float32([[7]]), "two": float32([[2]])}
    inputs = [
        helper.make_tensor_value_info(name, kind, [None, 1])
        for name, kind in (("code", TensorProto.STRING), ("x", TensorProto.FLOAT))
    ]
    output = helper.make_tensor_value_info("prediction", TensorProto.FLOAT, [None, 1])
    initializers = [numpy_helper.from_array(values, name) for name, values in constants.items()]
    graph = helper.make_graph(nodes, "given", inputs, [output], initializers)
    return helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", 19), helper.make_opsetid("ai.onnx.ml", 1)],
        ir_version=9,
    )


def test_a_graph_written_elsewhere_is_probed_in_its_own_comparisons() -> None:
    rng = np.random.default_rng(0)
    feeds = {
        "code": np.where(rng.random((50, 1)) < 0.3, "yes", "no"),
        "x": rng.normal(size=(50, 1)).astype(np.float32),
    }
    model = written_elsewhere()
    made = threshold_rows(model, feeds, 100, rng)
    assert (made.thresholds, made.hit) == (2, 2)
    pairs = {
        made.columns[row].name: {
            name: values[row : row + 2, 0] for name, values in made.feeds.items()
        }
        for row in (0, 2)
    }
    assert set(pairs["code"]["code"]) == {"yes", "no"}
    assert set(pairs["x"]["code"]) == {"no"}
    first = np.float32(0.6)  # half of it is the first float32 that is not below float32(0.3)
    assert set(pairs["x"]["x"]) == {first, np.nextafter(first, np.float32(0))}
    assert list(predict_onnx(open_session(to_bytes(model)), pairs_of(pairs["x"])).values) == [2, 3]


def pairs_of(columns: dict[str, Any]) -> Feeds:
    return {name: values.reshape(-1, 1) for name, values in columns.items()}


def test_when_thresholds_outnumber_the_probes_a_random_choice_of_them_is_hit() -> None:
    x, y = numbers()
    forest = RandomForestClassifier(10, random_state=0).fit(x, y)
    made = rows_of(forest, {"X": x}, numeric_schema(5), rows=40)
    expected = thresholds_of(trees_in(forest))
    assert (made.thresholds, made.tried, made.hit, len(made)) == (len(expected), 20, 20, 40)
    assert len(split_apart(forest, made.feeds["X"]) & expected) >= 20


def test_thresholds_of_rare_words_are_hit_by_the_texts_that_hold_them() -> None:
    rng = np.random.default_rng(1)
    texts = np.array(
        [" ".join(rng.choice(["good", "bad", "so"], 4)) + f" only{row}" for row in range(600)],
        object,
    )
    y = np.char.find(texts.astype(str), "good bad") >= 0
    y[::7] = ~y[::7]  # learned from words that a single text holds
    feeds = {"text": texts.reshape(-1, 1), "size": rng.normal(size=(600, 1)).astype(np.float32)}
    blocks = [
        ("words", TfidfVectorizer(dtype=np.float32), "text"),
        ("rest", "passthrough", ["size"]),
    ]
    model = make_pipeline(ColumnTransformer(blocks), RandomForestClassifier(2, random_state=0))
    model.fit(sklearn_input(feeds), y.astype(int))
    schema = Schema(
        "classification",
        "y",
        (Column("text", "text", missing=False), Column("size", "number", missing=False)),
    )
    made = rows_of(model, feeds, schema, rows=1000)
    expected = thresholds_of(trees_in(model[-1]))
    assert len({column for column, _ in expected}) > 20
    assert (made.thresholds, made.hit) == (len(expected), len(expected))


def test_rows_of_other_data_are_recombined_to_reach_splits_that_none_of_them_reaches() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3000, 4)).astype(np.float32)
    y = (x[:, 0] + x[:, 1] * x[:, 2] + rng.normal(0, 0.5, 3000) > 0).astype(int)
    tree = DecisionTreeClassifier(random_state=0).fit(x[:2500], y[:2500])
    made = rows_of(tree, {"X": x[2500:]}, numeric_schema(4), rows=4000)
    parted = split_apart(tree, made.feeds["X"][: 2 * made.hit])
    assert made.hit == len(parted & thresholds_of([tree]))
    assert made.hit > 0.9 * made.tried


def test_trees_that_compare_columns_which_their_input_lacks_have_no_probes_and_are_counted() -> (
    None
):
    x, y = numbers()
    model = to_onnx(DecisionTreeClassifier(random_state=0).fit(x, y), numeric_schema(5), 12)
    features = next(
        item for item in model.graph.node[0].attribute if item.name == "nodes_featureids"
    )
    features.ints[0] = 5
    made = threshold_rows(model, {"X": x}, 100, np.random.default_rng(0))
    assert (made.operators, made.unread, made.thresholds, len(made)) == (1, 1, 0, 0)
    (line,) = threshold_lines(made, "outputs/model.onnx")
    assert line.startswith("warning: 1 of 1 tree operators of outputs/model.onnx cannot be read")
