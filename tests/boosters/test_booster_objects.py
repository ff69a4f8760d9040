"""Fitted objects of the libraries' own classes, alone and inside scikit-learn's estimators."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import catboost
import joblib
import lightgbm
import numpy as np
import pytest
import xgboost
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.multiclass import OneVsRestClassifier

from onnxpress import compare, convert, load_estimator
from onnxpress.errors import UserError
from onnxpress.runtime.sessions import open_session

TABLES = {"two": load_breast_cancer, "three": load_wine}
FOREST = {"boosting_type": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}


def light(**parameters: Any) -> Any:
    return lightgbm.LGBMClassifier(n_estimators=15, verbose=-1, n_jobs=1, **parameters)


def extreme(**parameters: Any) -> Any:
    return xgboost.XGBClassifier(n_estimators=10, n_jobs=1, **parameters)


QUIET: dict[str, Any] = {"verbose": 0, "allow_writing_files": False, "thread_count": 1}


def cat(**parameters: Any) -> Any:
    return catboost.CatBoostClassifier(iterations=10, **QUIET, **parameters)


def calibrated(inside: Any, method: str = "sigmoid") -> Any:
    return CalibratedClassifierCV(inside, cv=2, method=method)


def threshold(response: str, **parameters: Any) -> Any:
    inside = light(**parameters)
    return FixedThresholdClassifier(inside, threshold=0.3, response_method=response)


MEMBERS = [("a", light()), ("b", extreme())]
CASES: dict[str, tuple[str, Callable[[], Any]]] = {
    "decisions calibrated by a sigmoid": ("two", lambda: calibrated(light())),
    "by steps": ("two", lambda: calibrated(light(), "isotonic")),
    "by a temperature": ("three", lambda: calibrated(light(), "temperature")),
    "decisions without their slope": ("two", lambda: calibrated(light(sigmoid=2.0))),
    "of each class against the rest": (
        "three",
        lambda: calibrated(light(objective="multiclassova", sigmoid=2.0)),
    ),
    "sums of a random forest": ("two", lambda: calibrated(light(**FOREST))),
    "a threshold of decisions": ("two", lambda: threshold("decision_function", sigmoid=2.0)),
    "a threshold of probabilities": ("two", lambda: threshold("predict_proba")),
    "one against the rest": ("three", lambda: OneVsRestClassifier(light())),
    "stacked": ("three", lambda: StackingClassifier(MEMBERS, LogisticRegression(), cv=2)),
    "voting": ("two", lambda: VotingClassifier(MEMBERS, voting="soft")),
    "CatBoost alone": ("three", cat),
    "of CatBoost calibrated": ("two", lambda: calibrated(cat())),
    "CatBoost voting": (
        "two",
        lambda: VotingClassifier([("a", cat()), ("b", light())], voting="soft"),
    ),
    "XGBoost alone": ("three", extreme),
    "probabilities of XGBoost calibrated": ("two", lambda: calibrated(extreme())),
}


@pytest.mark.parametrize("case", CASES)
def test_a_classifier_is_converted_as_scikit_learn_uses_it(case: str) -> None:
    table, make = CASES[case]
    matrix, target = TABLES[table](return_X_y=True)
    matrix = matrix.astype(np.float32)
    estimator = make().fit(matrix[::2], target[::2])
    session = open_session(convert(estimator, matrix).SerializeToString())
    label, probabilities = session.run(None, {"X": matrix})
    expected = estimator.predict_proba(matrix)
    assert np.abs(probabilities - expected).max() < 1e-5
    apart = np.diff(np.sort(expected, axis=1))[:, -1] > 1e-5
    assert np.array_equal(label[apart], estimator.predict(matrix).reshape(-1)[apart])


def test_rounds_after_the_best_do_not_count() -> None:
    matrix, target = load_breast_cancer(return_X_y=True)
    matrix = matrix.astype(np.float32)
    estimator = xgboost.XGBClassifier(n_estimators=200, early_stopping_rounds=3, n_jobs=1)
    held_out = [(matrix[1::2], target[1::2])]
    estimator.fit(matrix[::2], target[::2], eval_set=held_out, verbose=False)
    assert estimator.best_iteration + 1 < estimator.get_booster().num_boosted_rounds()
    session = open_session(convert(estimator, matrix).SerializeToString())
    _, probabilities = session.run(None, {"X": matrix})
    assert np.abs(probabilities - estimator.predict_proba(matrix)).max() < 1e-6


def test_an_object_that_is_fitted_again_is_converted_again() -> None:
    matrix, target = load_breast_cancer(return_X_y=True)
    matrix = matrix.astype(np.float32)
    for estimator in (light(), extreme(), cat()):
        for wanted in (target, 1 - target):
            estimator.fit(matrix, wanted)
            session = open_session(convert(estimator, matrix).SerializeToString())
            assert np.array_equal(
                session.run(None, {"X": matrix})[0], estimator.predict(matrix).reshape(-1)
            )


def test_classes_of_true_and_false_inside_others() -> None:
    matrix, target = load_breast_cancer(return_X_y=True)
    matrix = matrix.astype(np.float32)
    estimator = calibrated(light()).fit(matrix, target.astype(bool))
    session = open_session(convert(estimator, matrix).SerializeToString())
    label, probabilities = session.run(None, {"X": matrix})
    assert np.abs(probabilities - estimator.predict_proba(matrix)).max() < 1e-6
    assert np.array_equal(label.astype(bool), estimator.predict(matrix))


def test_a_regressor_of_xgboost_is_converted() -> None:
    matrix, target = load_diabetes(return_X_y=True)
    matrix = matrix.astype(np.float32)
    estimator = xgboost.XGBRegressor(n_estimators=20, n_jobs=1).fit(matrix, target)
    session = open_session(convert(estimator, matrix).SerializeToString())
    (prediction,) = session.run(None, {"X": matrix})
    assert np.allclose(prediction[:, 0], estimator.predict(matrix), rtol=1e-5)


def test_a_number_that_means_missing_is_refused() -> None:
    matrix, target = load_breast_cancer(return_X_y=True)
    estimator = extreme(missing=0.0).fit(matrix.astype(np.float32), target)
    with pytest.raises(UserError, match="no converter"):
        convert(estimator, matrix)


def test_a_regressor_of_catboost_is_converted_and_compared() -> None:
    matrix, target = load_diabetes(return_X_y=True)
    matrix = matrix.astype(np.float32)
    estimator = catboost.CatBoostRegressor(iterations=20, **QUIET).fit(matrix, target)
    model = convert(estimator, matrix)
    (prediction,) = open_session(model.SerializeToString()).run(None, {"X": matrix})
    assert np.allclose(prediction[:, 0], estimator.predict(matrix), rtol=1e-5)
    assert compare(estimator, model, matrix, target).given.agreement == 1


def test_an_object_of_catboost_takes_columns_by_their_names() -> None:
    frame, target = load_wine(return_X_y=True, as_frame=True)
    frame = frame.astype(np.float32)
    estimator = cat().fit(frame, target)
    turned = frame[frame.columns[::-1]]
    model = convert(estimator, turned)
    assert compare(estimator, model, turned, target).given.agreement == 1
    session = open_session(model.SerializeToString())
    label = session.run(None, {"X": turned.to_numpy()})[0]
    assert np.array_equal(label, estimator.predict(frame)[:, 0])


def test_an_object_of_catboost_in_a_joblib_file_becomes_its_native_bytes(tmp_path: Path) -> None:
    matrix, target = load_wine(return_X_y=True)
    matrix = matrix.astype(np.float32)
    texts = np.array(["a", "b", "c"])[target]
    estimator = catboost.CatBoostClassifier(iterations=10, **QUIET).fit(matrix, texts)
    path = tmp_path / "mine.joblib"
    joblib.dump(estimator, path)
    with pytest.raises(UserError, match=r"save_model\('model.cbm'\)"):
        convert(path, matrix)
    loaded = load_estimator(path, trust=["catboost.core.CatBoostClassifier"])
    session = open_session(convert(loaded, matrix).SerializeToString())
    label, probabilities = session.run(None, {"X": matrix})
    assert np.abs(probabilities - estimator.predict_proba(matrix)).max() < 1e-6
    assert label.tolist() == estimator.predict(matrix)[:, 0].tolist()


def test_an_object_of_catboost_with_categories_is_refused_with_what_to_do() -> None:
    matrix, target = load_wine(return_X_y=True)
    matrix = matrix.round().astype(int)
    estimator = catboost.CatBoostClassifier(iterations=2, **QUIET)
    with pytest.raises(UserError, match=r"save_model\('models/model.cbm'\)"):
        convert(estimator.fit(matrix, target, cat_features=[0]), matrix.astype(np.float32))


def test_a_catboost_object_without_a_fit_is_refused() -> None:
    with pytest.raises(UserError, match="not fitted"):
        convert(catboost.CatBoostRegressor(), np.zeros((3, 2)))
