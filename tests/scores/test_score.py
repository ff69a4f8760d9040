"""Scores by name, held against scikit-learn asked directly on fitted estimators."""

from __future__ import annotations

import math
import re
import warnings
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import make_classification, make_regression
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.metrics import get_scorer, get_scorer_names, mean_pinball_loss
from sklearn.svm import LinearSVC

from onnxpress.estimators.predicting import by_class
from onnxpress.runtime.predictions import Predictions, as_labels
from onnxpress.scores.score import (
    as_classes,
    find_score,
    fitting_scores,
)
from tests.conftest import ROOT

MODELS = [RandomForestClassifier(20, max_depth=4, random_state=0), LinearSVC()]
LABELS: dict[str, list[Any]] = {
    "text": ["no", "yes"],
    "numbers": [1, 2],
    "truths": [False, True],
    "signs": [-1, 1],
}


def answers(model: Any, rows: NDArray[Any]) -> Predictions:
    """What a fitted scikit-learn classifier answers."""
    proper = hasattr(model, "predict_proba")
    scores = model.predict_proba(rows) if proper else model.decision_function(rows)
    matrix = np.asarray(scores, np.float64).reshape(len(rows), -1)
    return Predictions(as_labels(model.predict(rows)), by_class(matrix), proper)


def table(n_classes: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Rows that no model separates, and their classes as numbers from 0."""
    rows, codes = make_classification(
        500, 6, n_informative=4, n_classes=n_classes, flip_y=0.2, random_state=3
    )
    return rows, codes


@pytest.mark.parametrize(
    "model", [RandomForestClassifier(20, max_depth=4, random_state=0), LinearSVC()]
)
@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("reverse", [False, True])
def test_every_score_of_two_classes_is_scikit_learns(
    labels: list[Any], reverse: bool, model: Any
) -> None:
    """scikit-learn itself is asked with the positive class as 1, as its scorers expect."""
    rows, codes = table(2)
    positive = labels[0] if reverse else labels[1]
    target = np.array(labels)[codes]
    as_zero_one = (target == positive).astype(int)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        given = answers(model.fit(rows, target), rows)
        direct = model.fit(rows, as_zero_one)
    names = fitting_scores("classification", 2, proper=given.proper)
    assert {"f1", "recall", "average_precision", "roc_auc", "accuracy"} <= set(names)
    assert ("neg_brier_score" in names) == given.proper
    for name in names:
        score = find_score(name, "classification", as_classes(target), positive)
        expected = get_scorer(name)(direct, rows, as_zero_one)
        assert score(target, given) == pytest.approx(expected, abs=1e-12), name


@pytest.mark.parametrize(
    "model", [RandomForestClassifier(20, max_depth=4, random_state=0), LinearSVC()]
)
@pytest.mark.parametrize("labels", [["a", "b", "c"], [1, 5, 7]])
def test_every_score_of_three_classes_is_scikit_learns(labels: list[Any], model: Any) -> None:
    rows, codes = table(3)
    target = np.array(labels)[codes]
    given = answers(model.fit(rows, target), rows)
    names = fitting_scores("classification", 3, proper=given.proper)
    assert {"f1_macro", "balanced_accuracy", "top_k_accuracy", "average_precision"} <= set(names)
    assert not {"f1", "recall", "roc_auc"} & set(names)
    for name in names:
        score = find_score(name, "classification", as_classes(target))
        expected = get_scorer(name)(model, rows, target)
        assert score(target, given) == pytest.approx(expected, abs=1e-12), name


def test_every_score_of_numbers_is_scikit_learns() -> None:
    rows, target = make_regression(300, 5, noise=20, random_state=0)
    target = np.abs(target) + 1
    model = RandomForestRegressor(10, max_depth=3, random_state=0).fit(rows, target)
    given = Predictions(model.predict(rows), None)
    names = fitting_scores("regression", 0)
    assert {"r2", "neg_max_error", "neg_mean_gamma_deviance", "d2_absolute_error_score"} <= set(
        names
    )
    for name in names:
        score = find_score(name, "regression")
        assert score(target, given) == pytest.approx(get_scorer(name)(model, rows, target)), name


@pytest.mark.parametrize("percent", [5, 50, 90])
def test_the_pinball_loss_of_a_quantile_is_scikit_learns(percent: int) -> None:
    target, values = np.array([1.0, 4.0, 9.0, -2.0]), np.array([2.0, 2.5, 9.0, -4.0])
    score = find_score(f"neg_mean_pinball_loss_p{percent}", "regression")
    expected = -mean_pinball_loss(target, values, alpha=percent / 100)
    assert score(target, Predictions(values, None)) == pytest.approx(expected, abs=1e-15)


def test_a_score_of_labels_needs_no_scores() -> None:
    target = np.array(["no", "yes", "yes"])
    given = Predictions(np.array(["no", "yes", "no"]), None)
    assert find_score("f1", "classification", ("no", "yes"))(target, given) == pytest.approx(2 / 3)
    assert math.isnan(find_score("roc_auc", "classification", ("no", "yes"))(target, given))


def test_what_a_score_needs() -> None:
    needs = {
        name: (score.needs_scores, score.needs_probabilities)
        for name in ("accuracy", "f1", "roc_auc", "average_precision", "neg_log_loss")
        if (score := find_score(name, "classification", ("a", "b")))
    }
    assert needs == {
        "accuracy": (False, False),
        "f1": (False, False),
        "roc_auc": (True, False),
        "average_precision": (True, False),
        "neg_log_loss": (True, True),
    }


def test_the_page_of_parameters_lists_the_scores_that_fit() -> None:
    """scikit-learn's own list, without comparisons of clusterings and of several labels a row."""
    page = (ROOT / "docs" / "parameters.md").read_text(encoding="utf-8")
    rows = dict(
        re.findall(r"^\| ([a-z ]+) \| (`.*) \|$", page.partition("## Scores")[2], re.MULTILINE)
    )
    listed = {target: set(re.findall(r"`(\w+)`", names)) for target, names in rows.items()}
    two, three = (set(fitting_scores("classification", n_classes)) for n_classes in (2, 3))
    assert listed == {
        "classes": two & three,
        "two classes only": two - three,
        "three or more classes only": three - two,
        "numbers": set(fitting_scores("regression", 0)),
    }
    others = set(get_scorer_names()) - set().union(*listed.values())
    of_clusterings = {"rand_score", "completeness_score", "v_measure_score", "homogeneity_score"}
    assert of_clusterings < others
    assert {name for name in others if name.endswith("_samples")} == {
        "f1_samples",
        "jaccard_samples",
        "precision_samples",
        "recall_samples",
    }
