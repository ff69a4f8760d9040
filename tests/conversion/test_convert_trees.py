"""Tree models converted in arrays are skl2onnx's own; missing values go as in scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator
from skl2onnx import convert_sklearn
from skl2onnx.common._registration import RegisteredConverter, _converter_pool
from skl2onnx.common.data_types import FloatTensorType
from skl2onnx.operator_converters import decision_tree, gradient_boosting, random_forest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
)

from onnxpress.conversion.converters.trees.attributes import MISSING
from onnxpress.conversion.converters.trees.converter import register
from onnxpress.conversion.converters.trees.deferring import deferred
from onnxpress.conversion.converters.trees.thresholds import float32_below
from onnxpress.graph.bit_table import bit_table
from onnxpress.graph.trees.fields import replace
from onnxpress.graph.writer import GraphWriter
from onnxpress.quantize.forest.lossless.rewrite import rewrite_trees

Array = np.ndarray[Any, Any]

IRIS, CANCER, DIABETES = (
    load(return_X_y=True) for load in (load_iris, load_breast_cancer, load_diabetes)
)
SPECIES = np.array(["setosa", "versicolor", "virginica"])[IRIS[1]]
WEIGHTS = np.linspace(0.1, 2.0, len(SPECIES))
TWO_TARGETS = np.column_stack([DIABETES[1], -DIABETES[1]])
TWO_LABELS = np.column_stack([IRIS[1], (IRIS[1] + IRIS[0][:, 0].astype(int)) % 3])

TREE = (
    decision_tree.convert_sklearn_decision_tree_classifier,
    decision_tree.convert_sklearn_decision_tree_regressor,
)
FOREST = (
    random_forest.convert_sklearn_random_forest_classifier,
    random_forest.convert_sklearn_random_forest_regressor_converter,
)
BOOSTING = (
    gradient_boosting.convert_sklearn_gradient_boosting_classifier,
    gradient_boosting.convert_sklearn_gradient_boosting_regressor,
)
FAMILIES = {
    "DecisionTree": TREE,
    "ExtraTree": TREE,
    "RandomForest": FOREST,
    "ExtraTrees": FOREST,
    "HistGradientBoosting": FOREST,
    "GradientBoosting": BOOSTING,
}
PLAIN = {
    f"Sklearn{family}{kind}": convert
    for family, pair in FAMILIES.items()
    for kind, convert in zip(("Classifier", "Regressor"), pair, strict=True)
}
"""skl2onnx's own converters, whatever this process has registered."""


def fit(
    model: Any, data: tuple[Array, Array], target: Array | None = None, **fit_params: Any
) -> tuple[Any, Array]:
    rows = data[0].astype(np.float32)
    return model.fit(rows, data[1] if target is None else target, **fit_params), rows


FITS: dict[str, Callable[[], tuple[Any, Array]]] = {
    "decision tree": lambda: fit(DecisionTreeClassifier(random_state=0), IRIS, SPECIES),
    "decision tree, one node": lambda: fit(DecisionTreeClassifier(min_samples_leaf=150), IRIS),
    "decision tree, one class": lambda: fit(DecisionTreeClassifier(), IRIS, np.full(150, 3)),
    "decision tree, best first": lambda: fit(
        DecisionTreeClassifier(max_leaf_nodes=6, random_state=0), CANCER
    ),
    "decision tree regressor": lambda: fit(DecisionTreeRegressor(random_state=0), DIABETES),
    "extra tree": lambda: fit(ExtraTreeClassifier(random_state=0), IRIS),
    "extra tree regressor": lambda: fit(ExtraTreeRegressor(random_state=0), DIABETES),
    "forest": lambda: fit(RandomForestClassifier(15, random_state=0), IRIS),
    "forest, two classes": lambda: fit(RandomForestClassifier(15, random_state=0), CANCER),
    "forest, weighted, text labels": lambda: fit(
        RandomForestClassifier(15, class_weight="balanced", max_leaf_nodes=7, random_state=0),
        IRIS,
        SPECIES,
        sample_weight=WEIGHTS,
    ),
    "forest, monotonic": lambda: fit(
        RandomForestClassifier(5, monotonic_cst=[1] + [0] * 29, random_state=0), CANCER
    ),
    "forest regressor": lambda: fit(RandomForestRegressor(15, random_state=0), DIABETES),
    "extra trees": lambda: fit(ExtraTreesClassifier(15, random_state=0), IRIS),
    "extra trees regressor, two targets": lambda: fit(
        ExtraTreesRegressor(9, random_state=0), DIABETES, TWO_TARGETS
    ),
    "bagging": lambda: fit(
        BaggingClassifier(DecisionTreeClassifier(), 5, max_features=0.5, random_state=0), IRIS
    ),
    "bagging regressor": lambda: fit(
        BaggingRegressor(ExtraTreeRegressor(), 5, random_state=0), DIABETES
    ),
    "stacking": lambda: fit(
        StackingClassifier(
            [
                ("a", RandomForestClassifier(5, random_state=0)),
                ("b", DecisionTreeClassifier(random_state=0)),
            ],
            cv=3,
        ),
        IRIS,
    ),
    "calibrated": lambda: fit(
        CalibratedClassifierCV(RandomForestClassifier(5, random_state=0), cv=3), IRIS
    ),
    "pipeline": lambda: fit(
        make_pipeline(
            StandardScaler(with_mean=False, with_std=False),
            ExtraTreesClassifier(15, random_state=0),
        ),
        IRIS,
    ),
    "columns": lambda: fit(
        make_pipeline(
            ColumnTransformer([("kept", "passthrough", [0, 2, 3])]),
            RandomForestClassifier(15, random_state=0),
        ),
        IRIS,
    ),
}
"""Models that take NaN at predict."""

REFUSE_MISSING: dict[str, Callable[[], tuple[Any, Array]]] = {
    "boosted trees": lambda: fit(
        AdaBoostClassifier(DecisionTreeClassifier(max_depth=2), n_estimators=5, random_state=0),
        IRIS,
    ),
    "boosted regression trees": lambda: fit(
        AdaBoostRegressor(DecisionTreeRegressor(max_depth=3), n_estimators=5, random_state=0),
        DIABETES,
    ),
    "gradient boosting": lambda: fit(
        GradientBoostingClassifier(n_estimators=5, random_state=0), IRIS
    ),
    "gradient boosting, two classes": lambda: fit(
        GradientBoostingClassifier(n_estimators=5, random_state=0), CANCER
    ),
    "gradient boosting, exponential": lambda: fit(
        GradientBoostingClassifier(loss="exponential", n_estimators=5), CANCER
    ),
    "gradient boosting regressor": lambda: fit(
        GradientBoostingRegressor(n_estimators=5, random_state=0), DIABETES
    ),
}


@pytest.fixture(scope="module", autouse=True)
def _registered() -> None:
    register()


def converted(model: Any, rows: Array, *, plain: bool = False, **options: Any) -> onnx.ModelProto:
    """The ONNX model of either converter, without ZipMap; ``plain`` is skl2onnx's own."""
    given = {id(model): {**({"zipmap": False} if hasattr(model, "classes_") else {}), **options}}
    own = {
        name: RegisteredConverter(function, _converter_pool[name].get_allowed_options())
        for name, function in PLAIN.items()
    }
    with patch.dict(_converter_pool, own if plain else {}):
        inputs = [("X", FloatTensorType([None, rows.shape[1]]))]
        result: onnx.ModelProto = convert_sklearn(
            model, "model", inputs, target_opset=12, options=given
        )
    return result


def answers(model: onnx.ModelProto, rows: Array) -> list[Array]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return [np.asarray(output) for output in session.run(None, {"X": rows})]


def without_missing_tracks(model: onnx.ModelProto) -> bytes:
    result = onnx.ModelProto()
    result.CopyFrom(model)
    for node in result.graph.node:
        for attribute in node.attribute:
            if attribute.name == MISSING:
                attribute.ints[:] = [0] * len(attribute.ints)
    result.ClearField("opset_import")  # skl2onnx writes it from a set
    return bytes(result.SerializeToString(deterministic=True))


def threshold_neighbours(model: onnx.ModelProto, rows: Array, count: int = 400) -> Array:
    """Rows with one feature at a split's float32 threshold, just below it or just above."""
    rng = np.random.default_rng(0)
    attributes = {
        a.name: helper.get_attribute_value(a)
        for n in model.graph.node
        if "TreeEnsemble" in n.op_type
        for a in n.attribute
    }
    at = rng.choice(np.flatnonzero(np.array(attributes["nodes_modes"]) == b"BRANCH_LEQ"), count)
    thresholds = np.array(attributes["nodes_values"], np.float32)[at]
    result = rows[rng.integers(0, len(rows), count)].copy()
    moved = np.nextafter(
        thresholds, np.array([-np.inf, np.inf], np.float32)[rng.integers(0, 2, count)]
    )
    result[np.arange(count), np.array(attributes["nodes_featureids"])[at]] = np.where(
        rng.random(count) < 1 / 3, thresholds, moved
    )
    return result


def with_missing(rows: Array) -> Array:
    rng = np.random.default_rng(1)
    result = rows[rng.integers(0, len(rows), 400)].copy()
    result[rng.random(result.shape) < 0.3] = np.nan
    return result


LEAVES_OF_OUR_OWN = {"gradient boosting, exponential"}
"""See test_convert_margins.py."""


@pytest.mark.parametrize("name", [each for each in FITS if each not in LEAVES_OF_OUR_OWN])
def test_the_model_is_skl2onnxs_byte_for_byte_but_for_missing_values(name: str) -> None:
    model, rows = {**FITS, **REFUSE_MISSING}[name]()
    assert without_missing_tracks(converted(model, rows)) == without_missing_tracks(
        converted(model, rows, plain=True)
    )


@pytest.mark.parametrize(
    "name",
    ["forest", "forest, two classes", "forest regressor", "extra trees regressor, two targets"],
)
def test_answers_at_the_thresholds_have_the_bits_of_skl2onnxs(name: str) -> None:
    model, rows = FITS[name]()
    plain = converted(model, rows, plain=True)
    near = threshold_neighbours(plain, rows)
    for ours, theirs in zip(
        answers(converted(model, rows), near), answers(plain, near), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", FITS)
def test_rows_with_missing_values_get_scikit_learns_answer(name: str) -> None:
    model, rows = FITS[name]()
    missing = with_missing(rows)
    result = answers(converted(model, rows), missing)
    if hasattr(model, "classes_"):
        np.testing.assert_allclose(result[1], model.predict_proba(missing), atol=1e-6)
    else:
        np.testing.assert_allclose(
            result[0].reshape(len(missing), -1),
            model.predict(missing).reshape(len(missing), -1),
            rtol=1e-5,
        )


def test_trees_fitted_on_missing_values_keep_their_routes() -> None:
    rows = with_missing(IRIS[0].astype(np.float32))
    model = RandomForestClassifier(15, random_state=0).fit(
        rows, np.isnan(rows[:, 2]).astype(int) + (rows[:, 0] > 5.8)
    )
    np.testing.assert_array_equal(answers(converted(model, rows), rows)[0], model.predict(rows))


@pytest.mark.parametrize(
    "estimator", [RandomForestClassifier, ExtraTreesClassifier, DecisionTreeClassifier]
)
def test_several_labels_at_once_follow_scikit_learn_on_missing_values(estimator: type) -> None:
    model, rows = fit(estimator(random_state=0, max_depth=6), IRIS, TWO_LABELS)
    missing = with_missing(rows)
    np.testing.assert_array_equal(
        answers(converted(model, rows), missing)[0], model.predict(missing)
    )


@pytest.mark.parametrize(
    "options",
    [
        {"nocl": True},
        {"decision_path": True},
        {"decision_leaf": True},
        {"decision_path": True, "decision_leaf": True},
    ],
)
def test_options_give_skl2onnxs_model(options: dict[str, bool]) -> None:
    model, rows = FITS["forest"]()
    assert without_missing_tracks(converted(model, rows, **options)) == without_missing_tracks(
        converted(model, rows, plain=True, **options)
    )


def test_raw_scores_are_scikit_learns_decision_function() -> None:
    model, rows = REFUSE_MISSING["gradient boosting"]()
    np.testing.assert_allclose(
        answers(converted(model, rows, raw_scores=True), rows)[1],
        model.decision_function(rows),
        atol=1e-5,
    )


def test_the_leaf_of_a_missing_value_is_scikit_learns() -> None:
    model, rows = FITS["forest"]()
    missing = with_missing(rows)
    np.testing.assert_array_equal(
        answers(converted(model, rows, decision_leaf=True), missing)[2], model.apply(missing)
    )


def test_gradient_boosting_that_starts_from_zero_loads_with_several_classes() -> None:
    model, rows = fit(GradientBoostingClassifier(n_estimators=5, init="zero", random_state=0), IRIS)
    np.testing.assert_allclose(
        answers(converted(model, rows), rows)[1], model.predict_proba(rows), atol=1e-6
    )


# --- histogram gradient boosting ------------------------------------------------------------------


def test_histogram_boosting_with_many_classes_and_missing_values_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(1500, 6)).astype(np.float32)
    labels = np.argmax(rows @ rng.normal(size=(6, 25)), axis=1)
    rows[rng.random(rows.shape) < 0.1] = np.nan
    model = HistGradientBoostingClassifier(max_iter=4).fit(rows, labels)
    np.testing.assert_allclose(
        answers(converted(model, rows), rows)[1], model.predict_proba(rows), atol=1e-6
    )


def test_histogram_boosting_tells_neighbouring_floats_apart() -> None:
    steps = [np.float32(1)]
    while len(steps) < 40:
        steps.append(np.nextafter(steps[-1], np.float32(2)))
    rows = np.random.default_rng(0).choice(steps, (1000, 2)).astype(np.float32)
    model = HistGradientBoostingClassifier(max_iter=10).fit(
        rows, (rows[:, 0] > steps[20]) ^ (rows[:, 1] > steps[13])
    )
    np.testing.assert_allclose(
        answers(converted(model, rows), rows)[1], model.predict_proba(rows), atol=1e-6
    )


@pytest.mark.parametrize("loss", ["poisson", "gamma", "squared_error"])
def test_histogram_boosting_predicts_on_the_scale_of_its_target(loss: str) -> None:
    model, rows = fit(HistGradientBoostingRegressor(loss=loss, max_iter=5), DIABETES)
    np.testing.assert_allclose(
        answers(converted(model, rows), rows)[0].ravel(), model.predict(rows), rtol=1e-5
    )


@pytest.mark.parametrize("classes", [2, 3])
def test_histogram_boosting_knows_native_categories_unknown_ones_and_missing_ones(
    classes: int,
) -> None:
    rng = np.random.default_rng(0)
    rows = np.column_stack(
        [
            rng.normal(size=2000),
            rng.integers(0, 40, 2000) * 7,
            rng.normal(size=2000),
            rng.integers(-3, 3, 2000),
        ]
    )
    rows = rows.astype(np.float32)
    labels = (
        (rows[:, 1] % 3 == 1) + (rows[:, 3] == 2) * (rows[:, 0] > 0) + (rows[:, 2] > 1)
    ).astype(int) % classes
    rows[rng.random(rows.shape) < 0.05] = np.nan
    model = HistGradientBoostingClassifier(max_iter=8, categorical_features=[1, 3]).fit(
        rows, labels
    )
    rows[:200, 1] = 1000 + rng.integers(0, 2, 200)
    np.testing.assert_allclose(
        answers(converted(model, rows), rows)[1], model.predict_proba(rows), atol=1e-6
    )


@pytest.mark.parametrize("classes", [0, 2, 3])
def test_histogram_boosting_has_trees_that_ask_for_no_category(classes: int) -> None:
    rng = np.random.default_rng(3)
    rows = np.column_stack([rng.normal(size=(300, 3)), rng.integers(0, 12, 300)]).astype(np.float32)
    target = rows[:, 0] + np.isin(rows[:, 3], [2, 5, 7])
    if not classes:
        model: Any = HistGradientBoostingRegressor(
            max_iter=1, max_depth=1, categorical_features=[3]
        ).fit(rows, target)
        np.testing.assert_allclose(
            answers(converted(model, rows), rows)[0].ravel(), model.predict(rows), rtol=1e-5
        )
        return
    labels = np.digitize(target, [0.5, 1.2][: classes - 1])
    model = HistGradientBoostingClassifier(max_iter=20, max_depth=1, categorical_features=[3]).fit(
        rows, labels
    )
    split = [tree.nodes["is_categorical"].any() for trees in model._predictors for tree in trees]
    assert any(split)
    assert not all(split)
    np.testing.assert_allclose(
        answers(converted(model, rows), rows)[1], model.predict_proba(rows), atol=1e-6
    )


@pytest.mark.parametrize("classes", [0, 2, 3])
def test_categories_hold_their_codes_and_no_other_float(classes: int) -> None:
    """Neighbours of codes, halves and zeros of both signs, as scikit-learn has them.

    So have the lossless forms.
    """
    rng = np.random.default_rng(4)
    rows = np.column_stack([rng.integers(-3, 20, 1500), rng.normal(size=1500)]).astype(np.float32)
    target = np.isin(rows[:, 0], [-3, 0, 4, 5, 11, 19]) + rows[:, 1] * 0.3
    kind: Any = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    labels = np.digitize(target, [0.5, 1.2][: classes - 1]) if classes else target
    estimator = kind(max_iter=10, categorical_features=[0]).fit(rows, labels)
    codes = np.arange(-4, 22, dtype=np.float32)
    odd = np.array([np.nan, -0.0, 1e-45, 0.5, 1e30, 2**32 + 5], np.float32)
    ways = [np.nextafter(codes, np.float32(end)) for end in (np.inf, -np.inf)]
    asked = np.concatenate([codes, codes + np.float32(0.5), *ways, odd])
    asked = np.column_stack([asked, np.resize(rows[:, 1], len(asked))])
    model = converted(estimator, rows)
    right = estimator.predict_proba(asked) if classes else estimator.predict(asked)[:, None]
    for small in (model, rewrite_trees(model, ml_opset=3), rewrite_trees(model, ml_opset=5)):
        np.testing.assert_allclose(answers(small, asked)[-1], right, atol=1e-6, rtol=1e-5)


def test_many_splits_on_categories_take_a_bit_for_each_category() -> None:
    rng = np.random.default_rng(5)
    rows = rng.integers(0, 200, (3000, 1)).astype(np.float32)
    estimator = HistGradientBoostingRegressor(max_iter=40, categorical_features=[0])
    model = converted(estimator.fit(rows, rng.normal(size=3000)), rows)
    tables = sum(tensor.ByteSize() for tensor in model.graph.initializer)
    nodes = [tree.nodes for trees in estimator._predictors for tree in trees]
    splits = sum(int((one["is_leaf"] == 0).sum()) for one in nodes)
    assert tables < 1.1 * splits * 201 / 8 + 2000


@pytest.mark.parametrize("rows", [1, 7, 8, 9, 20])
def test_a_table_of_bits_is_unpacked_to_its_rows(rows: int) -> None:
    table = np.random.default_rng(rows).random((rows, 5)) < 0.5
    graph = onnx.GraphProto(name="g")
    name = bit_table(table, GraphWriter(graph, 12, set()))
    graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None, 5]))
    opsets = [helper.make_opsetid("", 12)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=7)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    for run in (session.run, ReferenceEvaluator(model).run):
        (found,) = map(np.asarray, run(None, {}))
        np.testing.assert_array_equal(found[:rows], table)
        assert not found[rows:].any()


# --- the seam and the parts -----------------------------------------------------------------------


def test_registering_again_changes_nothing() -> None:
    before = dict(_converter_pool)
    register()
    assert before == _converter_pool


def test_the_estimator_is_left_as_it_was() -> None:
    model, rows = FITS["forest"]()
    before = dict(vars(model))
    converted(model, rows)
    assert all(vars(model)[name] is value for name, value in before.items())
    assert vars(model).keys() == before.keys()


@pytest.mark.parametrize("name", ["stacking", "calibrated", "forest"])
def test_a_deferred_model_is_the_same_once_filled(name: str) -> None:
    model, rows = FITS[name]()
    with deferred() as trees:
        result = converted(model, rows)
    trees.fill(result)
    assert without_missing_tracks(result) == without_missing_tracks(converted(model, rows))


def test_filling_another_model_is_refused() -> None:
    model, rows = FITS["decision tree"]()
    with deferred() as trees:
        converted(model, rows)
    with pytest.raises(RuntimeError, match="TreeEnsembleClassifier"):
        trees.fill(onnx.ModelProto())


@pytest.mark.parametrize(
    "values",
    [
        np.array([0, 1, 127, 128, 16383, 16384, 2**21 - 1, 2**21, 2**28, 2**31 - 1]),
        np.array([5, 0, 127], np.int32),
        np.arange(70_000) % 300,
        np.array([0.0, -0.0, 1.5, np.inf, -np.inf, 1e-45], np.float32),
        np.array([b"LEAF", b"BRANCH_LEQ", b"", b"LEAF"]),
    ],
)
def test_an_array_fills_an_attribute_as_onnx_does(values: Array) -> None:
    attribute = helper.make_attribute("name", values[:1].tolist())
    replace(attribute, values)
    assert attribute == helper.make_attribute("name", values.tolist())


def test_a_negative_number_has_no_place_in_a_tree() -> None:
    with pytest.raises(ValueError, match="negative"):
        replace(helper.make_attribute("name", [0]), np.array([3, -1]))


@pytest.mark.parametrize(
    "value", [0.1, 0.5, -0.1, 1e300, -1e300, np.inf, -np.inf, 1e-50, -1e-50, 16777217.0]
)
def test_a_threshold_is_the_largest_float32_not_above(value: float) -> None:
    below = float32_below(np.array([value]))[0]
    with np.errstate(over="ignore"):
        above = np.nextafter(below, np.float32(np.inf))
    assert float(below) <= value
    assert float(above) > value or np.isposinf(below)
