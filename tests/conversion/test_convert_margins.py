"""Boosting of two classes whose leaves are all of one sign, and its decision function inside."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    StackingClassifier,
)
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier

import onnxpress

X = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
ONE_LEAF: dict[str, Any] = {"min_samples_leaf": 30, "n_estimators": 2, "random_state": 0}


def outputs(model: Any, x: NDArray[np.float32]) -> list[NDArray[Any]]:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return list(session.run(None, {"X": x}))


def assert_as_scikit_learn(estimator: Any, target: NDArray[Any]) -> None:
    estimator.fit(X, target)
    label, probabilities = outputs(onnxpress.convert(estimator, X), X)
    assert label.tolist() == estimator.predict(X).tolist()
    np.testing.assert_allclose(probabilities, estimator.predict_proba(X), atol=1e-6)


BOOSTING = [
    HistGradientBoostingClassifier(max_iter=2),
    GradientBoostingClassifier(**ONE_LEAF),
    GradientBoostingClassifier(loss="exponential", **ONE_LEAF),
]


@pytest.mark.parametrize("first", [12, 14, 16])
@pytest.mark.parametrize("boosting", BOOSTING, ids=["histogram", "log_loss", "exponential"])
def test_trees_that_never_split_predict_the_more_frequent_class(boosting: Any, first: int) -> None:
    """Their margin lies between 0 and 0.5 with 14 of 30: onnxruntime takes it for a probability."""
    assert_as_scikit_learn(boosting, np.where(np.arange(30) < first, "a", "b"))


def test_leaves_that_are_all_positive_are_margins() -> None:
    target = np.arange(30) > 0
    boosting = GradientBoostingClassifier(init="zero", max_depth=1, n_estimators=3)
    boosting.fit(X, target.astype(int))
    leaves = [tree.tree_.value[tree.tree_.feature < 0] for tree in boosting.estimators_[:, 0]]
    assert min(values.min() for values in leaves) >= 0
    assert_as_scikit_learn(boosting, target.astype(int))


EXPONENTIAL = GradientBoostingClassifier(
    loss="exponential", n_estimators=5, max_depth=2, random_state=0
)


@pytest.mark.parametrize(
    "around",
    [
        CalibratedClassifierCV(EXPONENTIAL, cv=3),
        FixedThresholdClassifier(EXPONENTIAL, threshold=0.3, response_method="decision_function"),
        StackingClassifier([("a", EXPONENTIAL)], stack_method="decision_function", cv=3),
        OneVsRestClassifier(EXPONENTIAL),
    ],
    ids=lambda around: type(around).__name__,
)
def test_decisions_of_exponential_loss_are_those_of_scikit_learn(around: Any) -> None:
    target = (X[:, 0] + 0.3 * X[:, 1] > 0.2).astype(int)
    assert_as_scikit_learn(around, target)


def test_decisions_of_exponential_loss_break_the_ties_of_pairs() -> None:
    target = np.digitize(X[:, 0] + X[:, 1], [-0.5, 0.5])
    pairs = OneVsOneClassifier(EXPONENTIAL).fit(X, target)
    label = outputs(onnxpress.convert(pairs, X), X)[0]
    assert label.tolist() == pairs.predict(X).tolist()
