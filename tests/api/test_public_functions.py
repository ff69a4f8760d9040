"""The public functions on arrays and frames, for each task and kind of label."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import onnx
import onnxruntime as ort
import pandas as pd
import pytest
import skl2onnx
from scipy.stats import binomtest
from sklearn import datasets
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import average_precision_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

import onnxpress

X, y = datasets.load_iris(return_X_y=True)

Case = tuple[Any, Any, Any]
"""A fitted estimator, and the X and y that it was fitted on."""


def people(rows: int = 300) -> pd.DataFrame:
    """Numbers with gaps, categories of two types with gaps, booleans; under a shuffled index."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 80, rows),
            "income": np.where(rng.random(rows) < 0.1, np.nan, rng.normal(3e4, 1e4, rows)),
            "city": pd.Categorical(rng.choice(["Rome", "Oslo", "Lima"], rows)),
            "job": rng.choice(np.array(["cook", "nurse", None], object), rows),
            "member": rng.random(rows) < 0.5,
        }
    )
    return frame.set_axis(rng.permutation(rows))


def on_people(estimator: Any) -> Any:
    columns = [
        ("numbers", SimpleImputer(), ["age", "income", "member"]),
        ("categories", OneHotEncoder(handle_unknown="ignore"), ["city", "job"]),
    ]
    return make_pipeline(ColumnTransformer(columns), estimator)


def mixed_frame() -> Case:
    X = people()
    y = np.where(X["age"] + 20 * (X["city"] == "Rome") > 60, "old", "young")
    return on_people(RandomForestClassifier(10, random_state=0)).fit(X, y), X, y


def mixed_regression() -> Case:
    X = people()
    y = X["age"] * 1.5 + X["member"]
    return on_people(GradientBoostingRegressor(n_estimators=20)).fit(X, y), X, y


def boolean_labels() -> Case:
    X = people()
    y = X["age"] > 40
    return on_people(make_pipeline(StandardScaler(), LogisticRegression())).fit(X, y), X, y


def category_labels() -> Case:
    X, y = datasets.load_iris(return_X_y=True, as_frame=True)
    named = y.map({0: "setosa", 1: "versicolor", 2: "virginica"}).astype("category")
    return ExtraTreesClassifier(10, random_state=0).fit(X, named), X, named


def float_labels() -> Case:
    X, y = datasets.load_breast_cancer(return_X_y=True)
    scaled = make_pipeline(StandardScaler(), MLPClassifier((8,), max_iter=1000, random_state=0))
    return scaled.fit(X, y + 1.0), X, y + 1.0


def negative_labels() -> Case:
    X, y = datasets.load_breast_cancer(return_X_y=True)
    return make_pipeline(StandardScaler(), SVC()).fit(X, 2 * y - 1), X, 2 * y - 1


def boosted() -> Case:
    X, y = datasets.load_wine(return_X_y=True)
    X = X.astype(np.float32)
    return HistGradientBoostingClassifier(max_iter=10, random_state=0).fit(X, y), X, y


def regression_forest() -> Case:
    X, y = datasets.load_diabetes(return_X_y=True)
    return RandomForestRegressor(10, random_state=0).fit(X, y), X, y


def linear_regression() -> Case:
    X, y = datasets.make_regression(200, 5, random_state=0)
    return Ridge().fit(X, y), X, pd.DataFrame({"price": y})


def list_of_texts() -> Case:
    X = ["good day", "bad night", "so good", "so bad"] * 20
    y = ["glad", "sad"] * 40
    return make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(X, y), X, y


def series_of_texts() -> Case:
    estimator, X, y = list_of_texts()
    return estimator, pd.Series(X, name="text"), pd.Series(y)


def nullable_columns() -> Case:
    """The types that pandas has for columns with gaps."""
    X = people().convert_dtypes()
    y = pd.Series(np.where(X["age"] > 40, 1, 0)).astype("Int64")
    columns = ["age", "member"]
    chosen = ColumnTransformer([("numbers", StandardScaler(), columns)])
    forest = RandomForestClassifier(5, random_state=0)
    return make_pipeline(chosen, forest).fit(X, y.to_numpy(int)), X, y


def matrix_of_objects() -> Case:
    X = np.array([["a", 1.5], ["b", 2.5], ["a", 0.5], ["c", 4.0]] * 20, object)
    y = [0, 1, 0, 1] * 20
    columns = ColumnTransformer([("c", OneHotEncoder(), [0])], remainder="passthrough")
    return make_pipeline(columns, RandomForestClassifier(5, random_state=0)).fit(X, y), X, y


CASES: list[Callable[[], Case]] = [
    mixed_frame,
    mixed_regression,
    boolean_labels,
    category_labels,
    float_labels,
    negative_labels,
    boosted,
    regression_forest,
    linear_regression,
    list_of_texts,
    series_of_texts,
    nullable_columns,
    matrix_of_objects,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_a_converted_and_a_compressed_model_predict_as_the_estimator(
    case: Callable[[], Case],
) -> None:
    estimator, X, y = case()
    plain = onnxpress.convert(estimator, X)
    onnx.checker.check_model(plain, full_check=True)
    result = onnxpress.compress(estimator, X, y, level="lossless")
    assert onnx.load_from_string(result.plain) == plain
    assert result.warnings == ()
    assert len(result.data) <= len(result.plain)
    for model in (plain, result):
        found = onnxpress.compare(estimator, model, X, y, probe_rows=200, tolerance=0.02)
        assert found.agreement == 1
        assert found.probes is not None
        assert found.probes.agreement >= 0.98
        assert found.score_drop == pytest.approx(0, abs=0.01)
    json.dumps([result.to_json(), found.to_json()], allow_nan=False)


def test_a_forest_of_a_frame_becomes_smaller_and_runs_on_the_columns_by_name() -> None:
    estimator, X, y = mixed_frame()
    result = onnxpress.compress(estimator, X, y, level="lossless")
    assert result.candidate == "forest/lossless"
    assert result.times_smaller > 2
    session = ort.InferenceSession(result.data, providers=["CPUExecutionProvider"])
    assert [item.name for item in session.get_inputs()] == list(X)
    row = {
        "age": np.array([[75]], np.float32),
        "income": np.array([[np.nan]], np.float32),
        "city": np.array([["Rome"]], object),
        "job": np.array([[""]], object),
        "member": np.array([[1]], np.float32),
    }
    assert session.run(["label"], row)[0].tolist() == ["old"]


def test_the_same_call_gives_the_same_bytes() -> None:
    estimator, X, y = category_labels()
    first, second = (onnxpress.compress(estimator, X, y, seed=3) for _ in range(2))
    assert first.data == second.data
    assert first.to_json() == second.to_json()
    plain = [onnxpress.convert(estimator, X).SerializeToString() for _ in range(2)]
    assert plain[0] == plain[1]


def test_from_a_thousand_rows_on_a_fifth_is_set_aside() -> None:
    X, y = datasets.make_classification(1000, 8, random_state=0)
    forest = RandomForestClassifier(5, random_state=0).fit(X, y)
    result = onnxpress.compress(forest, X, y, method="forest", level="lossless")
    assert result.scoring == "200 rows set aside, which the model itself may have been fitted on"


def test_calibration_rows_of_the_caller_score_the_candidates() -> None:
    X, y = datasets.load_iris(return_X_y=True)
    forest = RandomForestClassifier(5, random_state=0).fit(X[::2], y[::2])
    rest = X[1::2], y[1::2]
    compress = partial(onnxpress.compress, forest, X[::2], y[::2], calibration=rest)
    assert compress(method="forest", level="lossless").scoring == "75 calibration rows"
    result = compress()  # what may change answers needs more rows
    assert result.scoring == (
        "cross-fitting on 5 folds of 150 training and calibration rows, "
        "for 75 calibration rows are few"
    )


def test_a_budget_buys_a_smaller_model() -> None:
    X, y = datasets.make_classification(600, 10, n_informative=6, flip_y=0.1, random_state=0)
    forest = ExtraTreesClassifier(30, random_state=0).fit(X, y)
    tight, loose = (
        onnxpress.compress(forest, X, y, budgets={"score": drop, "recall_worst_loss": drop})
        for drop in (0.0, 0.1)
    )
    assert len(loose.data) < len(tight.data)
    assert loose.candidate.startswith("forest/refined")


@pytest.mark.parametrize("name", ["model.joblib", "model.onnx"])
def test_a_file_is_as_good_as_the_model_in_it(name: str, tmp_path: Path) -> None:
    estimator, X, y = category_labels()
    path = tmp_path / name
    if path.suffix == ".onnx":
        onnx.save(onnxpress.convert(estimator, X), path)
    else:
        joblib.dump(estimator, path)
    result = onnxpress.compress(str(path), X, y, level="lossless")
    assert result.candidate == "forest/lossless"
    assert onnxpress.compare(path, result, X).agreement == 1


def test_an_onnx_model_of_another_converter_is_taken_as_it_is() -> None:
    X, y = datasets.load_wine(return_X_y=True)
    X = X.astype(np.float32)
    estimator = RandomForestClassifier(5, random_state=0).fit(X, y)
    given = skl2onnx.to_onnx(estimator, X[:1])  # its probabilities are a mapping per row
    result = onnxpress.compress(given, X, y, level="lossless")
    assert result.candidate == "forest/lossless"
    assert onnxpress.compare(given, result, X, y).agreement == 1
    assert onnxpress.compare(estimator, given, X, y, probe_rows=0).agreement == 1
    found = onnxpress.measure({"given": given, "result": result}, X, batch_sizes=[1], seconds=0.1)
    assert found.speedups[1].keys() == {"result"}


def test_an_estimator_is_left_as_it_was() -> None:
    X, y = datasets.load_iris(return_X_y=True)
    forest = RandomForestClassifier(5, random_state=0, n_jobs=2).fit(X, y)
    before = joblib.hash(forest)
    onnxpress.compress(forest, X, y, level="lossless")
    onnxpress.measure({"forest": forest}, X, batch_sizes=[1], seconds=0.05)
    assert joblib.hash(forest) == before


def test_a_model_that_predicts_otherwise_is_found_out() -> None:
    X, y = datasets.load_iris(return_X_y=True)
    one, other = (RandomForestClassifier(3, max_depth=2, random_state=s).fit(X, y) for s in (0, 4))
    found = onnxpress.compare(one, onnxpress.convert(other, X), X, y)
    assert found.agreement < 1
    assert found.given.largest_difference > 0.01
    assert found.scores is not None
    assert found.scores[0] == one.score(X, y)
    assert found.scores[1] == pytest.approx(other.score(X, y), abs=0.01)
    hit, thresholds = found.thresholds
    assert 0 < hit <= thresholds


def test_a_comparison_bounds_what_the_rows_leave_open() -> None:
    X, y = datasets.load_iris(return_X_y=True)
    one, other = (RandomForestClassifier(3, max_depth=2, random_state=s).fit(X, y) for s in (0, 4))
    same = onnxpress.compare(one, onnxpress.convert(one, X), X, y, probe_rows=0)
    assert same.given.disagreement_upper == pytest.approx(1 - 0.05 ** (1 / 150))
    found = onnxpress.compare(one, onnxpress.convert(other, X), X, y)
    differ = int((one.predict(X) != other.predict(X)).sum())
    exact = binomtest(differ, 150).proportion_ci(confidence_level=0.9, method="exact")
    assert found.given.disagreement_upper == pytest.approx(exact.high)
    assert f"{100 * exact.high:.2f}"[:3] in str(found)
    assert found.losses["disagreement"].value == pytest.approx(differ / 150)


@pytest.mark.parametrize("given", ["estimator", "ONNX", "path"])
@pytest.mark.parametrize("positive", [None, "no"])
def test_a_comparison_by_any_score_is_that_of_scikit_learn(
    given: str, positive: str | None, tmp_path: Path
) -> None:
    X, y = datasets.load_breast_cancer(return_X_y=True)
    y = np.where(y == 1, "yes", "no")
    one, other = (RandomForestClassifier(5, max_depth=d, random_state=0).fit(X, y) for d in (4, 2))
    original: Any = one if given == "estimator" else onnxpress.convert(one, X)
    if given == "path":
        original = tmp_path / "one.onnx"
        original.write_bytes(onnxpress.convert(one, X).SerializeToString())
    model = onnxpress.convert(other, X)
    words: dict[str, Any] = {"score": "average_precision", "also": ["recall"], "positive": positive}
    found = onnxpress.compare(original, model, X, y, probe_rows=0, **words)
    right = y == (positive or "yes")
    column = 1 if positive is None else 0
    expected = [average_precision_score(right, m.predict_proba(X)[:, column]) for m in (one, other)]
    assert found.score == "average_precision"
    assert found.scores == pytest.approx(expected, abs=1e-3)
    recalls = [(m.predict(X) == y)[right].mean() for m in (one, other)]
    assert found.also["recall"] == pytest.approx(recalls, abs=0.01)
    assert found.losses["recall"].error > 0
    assert json.loads(json.dumps(found.to_json()))["losses"]["recall"]["value"] is not None


def test_a_score_without_a_target_or_undefined_on_it_is_refused() -> None:
    X, y = datasets.load_breast_cancer(return_X_y=True)
    tree = DecisionTreeClassifier(max_depth=2).fit(X, y)
    with pytest.raises(onnxpress.UserError, match="^also takes the true classes or values; pass y"):
        onnxpress.compare(tree, tree, X, also=["f1"])
    with pytest.raises(onnxpress.UserError, match="^score 'roc_auc' is undefined on y: no row is"):
        onnxpress.compare(tree, tree, X[y == 1], y[y == 1], score="roc_auc")


def test_a_comparison_needs_no_target() -> None:
    estimator, X, _ = mixed_regression()
    found = onnxpress.compare(estimator, onnxpress.convert(estimator, X), X, probe_rows=0)
    assert found.agreement == 1
    assert (found.scores, found.score_drop, found.probes) == (None, None, None)


def test_rows_of_one_class_and_without_a_value_in_a_column_can_be_compared() -> None:
    estimator, X, y = mixed_frame()
    few = X[y == "old"].head(4).assign(income=np.nan, job=None)
    found = onnxpress.compare(estimator, onnxpress.convert(estimator, X), few, ["old"] * 4)
    assert found.agreement == 1


def test_latencies_are_measured_side_by_side() -> None:
    estimator, X, y = mixed_frame()
    models = {
        "scikit-learn": estimator,
        "ONNX": onnxpress.convert(estimator, X),
        "compressed": onnxpress.compress(estimator, X, y, level="lossless"),
    }
    found = onnxpress.measure(models, X, batch_sizes=[1, 400], seconds=1)
    assert list(found.batches) == [1, 400]
    assert found.speedups[1].keys() == {"ONNX", "compressed"}
    assert found.speedups[1]["ONNX"].median > 5
    assert found.batches[1]["scikit-learn"].p50_ms > 0
    assert str(found).startswith("1 row: scikit-learn ")
    assert json.loads(json.dumps(found.to_json()))["batches"].keys() == {"1", "400"}


@pytest.mark.parametrize("given", ["estimator", "result"])
def test_columns_in_another_order_are_put_into_the_order_of_the_model(given: str) -> None:
    frame = pd.DataFrame(X, columns=list("abcd"))
    tree = DecisionTreeClassifier(random_state=0).fit(frame, y)
    model: Any = onnxpress.convert(tree, frame[list("cadb")])
    if given == "result":
        model = onnxpress.compress(tree, frame[list("cadb")], y, level="lossless")
    found = onnxpress.compare(tree, model, frame, y)
    assert found.agreement == 1
    assert found.given.largest_difference < 1e-6


def test_an_onnx_model_of_columns_in_another_order_is_not_compressed_on_them() -> None:
    frame = pd.DataFrame(X, columns=list("abcd"))
    tree = DecisionTreeClassifier(random_state=0).fit(frame, y)
    model = onnxpress.convert(tree, frame)
    with pytest.raises(onnxpress.UserError, match="columns in another order: a, b, c, d"):
        onnxpress.compress(model, frame[list("cadb")], y)


def test_what_float32_changes_is_a_warning() -> None:
    """Both models get float32, so that they agree on what is not the original's prediction."""
    far = X + 1e8
    original = make_pipeline(StandardScaler(), LogisticRegression()).fit(far, y)
    changed = int(np.sum(original.predict(far) != original.predict(far.astype(np.float32))))
    assert changed > 9
    line = f"predicts {changed} of 150 rows of X differently once X is rounded to float32"
    result = onnxpress.compress(original, far, y)
    compared = onnxpress.compare(original, result, far, y)
    assert any(line in each for each in result.warnings)
    assert line in str(compared)
    assert compared.to_json()["warnings"] == list(compared.warnings)
