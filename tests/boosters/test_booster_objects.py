"""Fitted objects of the libraries' own classes, alone and inside scikit-learn's estimators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import catboost
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

from onnxpress import convert
from onnxpress.errors import UserError
from onnxpress.runtime.sessions import open_session

TABLES = {"two": load_breast_cancer, "three": load_wine}
FOREST = {"boosting_type": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}


def light(**parameters: Any) -> Any:
    return lightgbm.LGBMClassifier(n_estimators=15, verbose=-1, n_jobs=1, **parameters)


def extreme(**parameters: Any) -> Any:
    return xgboost.XGBClassifier(n_estimators=10, n_jobs=1, **parameters)


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
    assert np.array_equal(label[apart], estimator.predict(matrix)[apart])


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


def test_an_object_of_catboost_is_refused_with_what_to_do() -> None:
    matrix, target = load_wine(return_X_y=True)
    estimator = catboost.CatBoostClassifier(iterations=2, verbose=0, allow_writing_files=False)
    with pytest.raises(UserError, match=r"save_model\('models/model.cbm'\)"):
        convert(estimator.fit(matrix, target), matrix)
