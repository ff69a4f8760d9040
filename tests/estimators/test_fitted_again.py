"""What is fitted again on folds: arguments stay, and so do estimators that are taken as fitted."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier, StackingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import TunedThresholdClassifierCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

import onnxpress
from onnxpress.estimators.fitting import unfitted

X, Y = load_breast_cancer(return_X_y=True)
X = X[:, :8].astype(np.float32)
FIT, TUNE, NEW = slice(200), slice(200, 400), slice(400, None)


def tuned(inside: Any) -> Any:
    return TunedThresholdClassifierCV(
        inside.fit(X[FIT], Y[FIT]), cv="prefit", refit=False, scoring="f1"
    )


def test_an_estimator_taken_as_fitted_stays_as_it_is() -> None:
    before = tuned(GaussianNB()).fit(X[TUNE], Y[TUNE])
    again = unfitted(before)
    try:
        check_is_fitted(again)
        raise AssertionError("it is fitted")
    except NotFittedError:
        pass
    again.fit(X[TUNE], Y[TUNE])
    assert again.best_threshold_ == before.best_threshold_
    assert again.predict_proba(X[NEW]).tolist() == before.predict_proba(X[NEW]).tolist()


def test_so_do_those_of_a_stack_and_those_in_a_pipeline() -> None:
    members = [("a", GaussianNB().fit(X[FIT], Y[FIT])), ("b", "drop")]
    stack = StackingClassifier(members, LogisticRegression(), cv="prefit").fit(X[TUNE], Y[TUNE])
    again = unfitted(stack).fit(X[TUNE], Y[TUNE])
    assert again.predict_proba(X[NEW]).tolist() == stack.predict_proba(X[NEW]).tolist()
    behind = make_pipeline(StandardScaler(), tuned(GaussianNB())).fit(X[TUNE], Y[TUNE])
    again = unfitted(behind).fit(X[TUNE], Y[TUNE])
    assert again.predict(X[NEW]).tolist() == behind.predict(X[NEW]).tolist()


def test_a_few_rows_score_the_candidates_of_such_a_model() -> None:
    forest = tuned(RandomForestClassifier(20, random_state=0)).fit(X[TUNE], Y[TUNE])
    result = onnxpress.compress(forest, X[TUNE], Y[TUNE], level="lossless")
    assert result.candidate == "forest/lossless"
    found = onnxpress.compare(forest, result, X[NEW], probe_rows=0)
    assert found.agreement == 1
