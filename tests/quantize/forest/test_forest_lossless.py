"""Lossless: only size and speed change, whichever scikit-learn estimator holds the trees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
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
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from threadpoolctl import threadpool_limits

from onnxpress.models import LOSSLESS
from onnxpress.quantize.candidates import NotApplicable
from onnxpress.quantize.forest.levels import forest_candidates
from onnxpress.quantize.forest.lossless.rewrite import rewrite_trees
from onnxpress.quantize.options import Options
from onnxpress.tables.rows import Rows
from tests.support.forest_probes import (
    assert_same,
    converted,
    outputs,
    packed_size,
    probes,
    reference_outputs,
)

R: dict[str, Any] = {"random_state": 0}
FEW: dict[str, Any] = {"n_estimators": 8, "random_state": 0}


def _forests() -> list[tuple[str, Any]]:
    return [("rf", RandomForestClassifier(**FEW)), ("et", ExtraTreesClassifier(**FEW))]


CLASSIFIERS: dict[str, Callable[[], Any]] = {
    "tree": lambda: DecisionTreeClassifier(**R),
    "forest": lambda: RandomForestClassifier(**FEW),
    "forest with mixed leaves": lambda: RandomForestClassifier(min_samples_leaf=4, **FEW),
    "forest of weighted classes": lambda: RandomForestClassifier(
        max_depth=3, class_weight="balanced", **FEW
    ),
    "extra trees": lambda: ExtraTreesClassifier(**FEW),
    "boosting": lambda: GradientBoostingClassifier(**FEW),
    "histogram boosting": lambda: HistGradientBoostingClassifier(max_iter=4, max_leaf_nodes=8, **R),
    "adaboost": lambda: AdaBoostClassifier(DecisionTreeClassifier(max_depth=3), **FEW),
    "bagging": lambda: BaggingClassifier(DecisionTreeClassifier(), **FEW),
    "voting": lambda: VotingClassifier(_forests(), voting="soft", flatten_transform=False),
    "calibrated": lambda: CalibratedClassifierCV(RandomForestClassifier(**FEW), cv=2),
    "stacking": lambda: StackingClassifier(_forests(), LogisticRegression(), cv=2),
    "pipeline": lambda: make_pipeline(StandardScaler(), RandomForestClassifier(**FEW)),
}
REGRESSORS: dict[str, Callable[[], Any]] = {
    "tree": lambda: DecisionTreeRegressor(**R),
    "forest": lambda: RandomForestRegressor(**FEW),
    "extra trees": lambda: ExtraTreesRegressor(**FEW),
    "boosting": lambda: GradientBoostingRegressor(**FEW),
    "histogram boosting": lambda: HistGradientBoostingRegressor(max_iter=8, max_leaf_nodes=8, **R),
    "adaboost": lambda: AdaBoostRegressor(**FEW),
    "bagging": lambda: BaggingRegressor(DecisionTreeRegressor(), **FEW),
    "voting": lambda: VotingRegressor(
        [("a", RandomForestRegressor(**FEW)), ("b", ExtraTreesRegressor(**FEW))]
    ),
    "pipeline": lambda: make_pipeline(StandardScaler(), RandomForestRegressor(**FEW)),
}


def fitted(estimator: Any, data: Any) -> tuple[onnx.ModelProto, np.ndarray[Any, Any]]:
    x, y = data
    x = x.astype(np.float32)
    with threadpool_limits(1):  # many small fits: threads only wait for each other
        return converted(estimator.fit(x, y), x), x


def named_iris() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    x, y = load_iris(return_X_y=True)
    return x, np.array(["setosa", "versicolor", "virginica"])[y]


@pytest.mark.parametrize(
    "data", [load_wine, load_breast_cancer], ids=["three classes", "two classes"]
)
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifiers_predict_every_probe_alike(name: str, data: Any) -> None:
    model, x = fitted(CLASSIFIERS[name](), data(return_X_y=True))
    small = rewrite_trees(model, ml_opset=5)
    onnx.checker.check_model(small, full_check=True)
    rows = probes(model, x)
    assert_same(outputs(small, rows, packed=True), outputs(model, rows))


@pytest.mark.parametrize("name", REGRESSORS)
def test_regressors_predict_every_probe_alike(name: str) -> None:
    model, x = fitted(REGRESSORS[name](), load_diabetes(return_X_y=True))
    small = rewrite_trees(model, ml_opset=5)
    onnx.checker.check_model(small, full_check=True)
    rows = probes(model, x)
    np.testing.assert_array_equal(outputs(small, rows, packed=True)[0], outputs(model, rows)[0])


@pytest.mark.parametrize("name", ["forest", "forest with mixed leaves", "boosting"])
def test_string_labels_stay_strings(name: str) -> None:
    model, x = fitted(CLASSIFIERS[name](), named_iris())
    small = rewrite_trees(model, ml_opset=5)
    label = outputs(small, x)[0]
    assert set(label) == {"setosa", "versicolor", "virginica"}
    assert_same(outputs(small, x), outputs(model, x))


def test_labels_that_are_not_0_to_k_are_kept() -> None:
    x, y = load_iris(return_X_y=True)
    model, rows = fitted(RandomForestClassifier(**FEW), (x, y * 7 - 3))
    assert set(outputs(rewrite_trees(model, ml_opset=5), rows)[0]) == {-3, 4, 11}


@pytest.mark.parametrize(
    "name", ["forest", "forest with mixed leaves", "boosting", "histogram boosting"]
)
@pytest.mark.parametrize("ml_opset", [3, 5])
@pytest.mark.parametrize(
    "data", [load_wine, load_breast_cancer], ids=["three classes", "two classes"]
)
def test_the_reference_implementation_agrees(name: str, ml_opset: int, data: Any) -> None:
    model, x = fitted(CLASSIFIERS[name](), data(return_X_y=True))
    rows = x[::9]
    assert_same(
        reference_outputs(rewrite_trees(model, ml_opset=ml_opset), rows), outputs(model, rows)
    )


@pytest.mark.parametrize("name", ["forest", "histogram boosting"])
@pytest.mark.parametrize("ml_opset", [3, 5])
def test_the_reference_implementation_agrees_on_regression(name: str, ml_opset: int) -> None:
    model, x = fitted(REGRESSORS[name](), load_diabetes(return_X_y=True))
    found = reference_outputs(rewrite_trees(model, ml_opset=ml_opset), x[::9])[0]
    np.testing.assert_allclose(found, outputs(model, x[::9])[0], rtol=1e-6)


@pytest.mark.parametrize(
    "name", ["forest", "forest with mixed leaves", "boosting", "histogram boosting", "bagging"]
)
@pytest.mark.parametrize(
    "data", [load_wine, load_breast_cancer], ids=["three classes", "two classes"]
)
def test_the_portable_encoding_predicts_every_probe_alike(name: str, data: Any) -> None:
    model, x = fitted(CLASSIFIERS[name](), data(return_X_y=True))
    small = rewrite_trees(model, ml_opset=3)
    onnx.checker.check_model(small, full_check=True)
    assert not any(node.op_type == "TreeEnsemble" for node in small.graph.node)
    rows = probes(model, x)
    assert_same(outputs(small, rows, packed=True), outputs(model, rows))


def test_the_portable_encoding_keeps_the_operator_set_of_the_model() -> None:
    model, _ = fitted(RandomForestClassifier(**FEW), load_wine(return_X_y=True))
    assert {
        (entry.domain, entry.version) for entry in rewrite_trees(model, ml_opset=3).opset_import
    } == {(entry.domain, entry.version) for entry in model.opset_import}


@pytest.mark.parametrize("opset", [9, 12, 13, 18, 21])
def test_every_operator_set_of_the_model_is_kept(opset: int) -> None:
    x, y = load_wine(return_X_y=True)
    x = x.astype(np.float32)
    model = converted(RandomForestClassifier(min_samples_leaf=4, **FEW).fit(x, y), x, opset=opset)
    small = rewrite_trees(model, ml_opset=5)
    before = {entry.domain: entry.version for entry in model.opset_import}
    assert {entry.domain: entry.version for entry in small.opset_import} == {
        **before,
        "ai.onnx.ml": 5,
    }
    assert_same(outputs(small, x), outputs(model, x))


def test_inputs_and_outputs_keep_names_types_and_shapes() -> None:
    model, _ = fitted(RandomForestClassifier(**FEW), load_wine(return_X_y=True))
    small = rewrite_trees(model, ml_opset=5)
    assert list(small.graph.input) == list(model.graph.input)
    assert list(small.graph.output) == list(model.graph.output)


def test_the_model_given_is_not_changed() -> None:
    model, _ = fitted(RandomForestClassifier(**FEW), load_wine(return_X_y=True))
    before = model.SerializeToString(deterministic=True)
    rewrite_trees(model, ml_opset=5)
    assert model.SerializeToString(deterministic=True) == before


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_few_rows_and_none_are_predicted(rows: int) -> None:
    model, x = fitted(RandomForestClassifier(min_samples_leaf=4, **FEW), load_wine(return_X_y=True))
    assert_same(outputs(rewrite_trees(model, ml_opset=5), x[:rows]), outputs(model, x[:rows]))


def test_outlier_scores_of_an_isolation_forest_stay() -> None:
    x = load_diabetes().data.astype(np.float32)
    model = converted(IsolationForest(**FEW).fit(x), x)
    assert_same(outputs(rewrite_trees(model, ml_opset=5), x), outputs(model, x))


def test_several_targets_stay_equal_to_the_last_bit() -> None:
    x, y = load_diabetes(return_X_y=True)
    model, x = fitted(RandomForestRegressor(**FEW), (x, np.c_[y, -(y**2)]))
    rows = probes(model, x)
    np.testing.assert_array_equal(
        outputs(rewrite_trees(model, ml_opset=5), rows)[0], outputs(model, rows)[0]
    )


def test_ties_between_classes_fall_as_before() -> None:
    """Ten trees that learned noise over four classes tie often; the same class must win."""
    random = np.random.default_rng(0)
    model, _ = fitted(
        RandomForestClassifier(10, **R), (random.normal(size=(300, 5)), random.integers(0, 4, 300))
    )
    rows = random.normal(size=(1000, 5)).astype(np.float32)
    label, score = outputs(model, rows)
    best = np.sort(score, axis=1)
    assert (best[:, -1] == best[:, -2]).sum() > 50
    np.testing.assert_array_equal(outputs(rewrite_trees(model, ml_opset=5), rows)[0], label)


@pytest.mark.parametrize(
    ("estimator", "data", "times"),
    [
        (RandomForestClassifier(50, **R), load_wine, 7.5),
        (ExtraTreesClassifier(50, **R), load_digits, 14),
        (RandomForestClassifier(50, **R), load_breast_cancer, 5.5),
        (RandomForestRegressor(50, **R), load_diabetes, 5.5),
        (GradientBoostingClassifier(n_estimators=50, **R), load_wine, 4),
        (HistGradientBoostingRegressor(max_iter=20, **R), load_diabetes, 4),
    ],
    ids=lambda value: (
        type(value).__name__ if hasattr(value, "fit") else getattr(value, "__name__", str(value))
    ),
)
def test_models_are_several_times_smaller(estimator: Any, data: Any, times: float) -> None:
    model, _ = fitted(estimator, data(return_X_y=True))
    assert model.ByteSize() >= times * packed_size(rewrite_trees(model, ml_opset=5))


def test_a_second_compression_finds_nothing_to_do() -> None:
    model, _ = fitted(RandomForestClassifier(min_samples_leaf=4, **FEW), load_wine(return_X_y=True))
    with pytest.raises(NotApplicable, match="bytes"):
        rewrite_trees(rewrite_trees(model, ml_opset=5), ml_opset=5)


def test_a_model_of_version_5_is_not_written_in_operators_that_version_5_withdrew() -> None:
    model, _ = fitted(RandomForestClassifier(**FEW), load_wine(return_X_y=True))
    with pytest.raises(NotApplicable, match="no older tree operators"):
        rewrite_trees(rewrite_trees(model, ml_opset=5), ml_opset=3)


def test_two_runs_give_the_same_bytes() -> None:
    model, _ = fitted(RandomForestClassifier(min_samples_leaf=4, **FEW), load_wine(return_X_y=True))
    first, second = (
        rewrite_trees(model, ml_opset=5).SerializeToString(deterministic=True) for _ in range(2)
    )
    assert first == second


def test_the_candidate_of_the_lossless_level_is_the_rewrite() -> None:
    model, x = fitted(RandomForestClassifier(**FEW), load_wine(return_X_y=True))
    (only,) = forest_candidates(model, Options(level="lossless"))
    assert only.name == LOSSLESS
    result = only.apply(model, Rows({"X": x}, np.zeros(len(x))))
    assert packed_size(result) == packed_size(rewrite_trees(model, ml_opset=5))


def test_a_model_without_trees_has_no_candidates() -> None:
    model, _ = fitted(Ridge(), load_diabetes(return_X_y=True))
    assert forest_candidates(model, Options()) == []
