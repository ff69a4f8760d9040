"""Where a score is undefined, what it makes of odd rows, and how a wrong name is refused."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, get_scorer_names, log_loss, r2_score

from onnxpress.errors import UserError
from onnxpress.limits import SCORERS, nearest
from onnxpress.runtime.predictions import Predictions
from onnxpress.scores.score import (
    Score,
    as_classes,
    check_rows,
    default_score,
    find_score,
    fitting_scores,
)

TWO, THREE = ("a", "b"), ("a", "b", "c")


def test_the_listed_scorers_are_those_of_the_installed_scikit_learn() -> None:
    assert list(SCORERS) == sorted(get_scorer_names())


def given(values: list[Any], scores: list[list[float]] | None = None) -> Predictions:
    return Predictions(np.array(values), None if scores is None else np.array(scores))


@pytest.mark.parametrize(
    ("name", "target", "reason"),
    [
        ("roc_auc", ["a", "a"], "no row is of the class 'b'"),
        ("roc_auc", ["b", "b"], "no row is of the class 'a'"),
        ("average_precision", ["a", "a"], "no row is of the class 'b'"),
        ("recall", ["a"], "no row is of the class 'b'"),
        ("f1", ["a", "a"], "no row is of the class 'b'"),
        ("matthews_corrcoef", ["a", "a"], "no row is of the class 'b'"),
        ("d2_log_loss_score", ["b", "b"], "no row is of the class 'a'"),
        ("d2_brier_score", ["b", "b"], "no row is of the class 'a'"),
        ("f1", ["a", "b", "z"], "the model does not know the label 'z'"),
        ("neg_log_loss", ["a", "b", "z"], "the model does not know the label 'z'"),
        ("accuracy", [], "there are no rows"),
        ("accuracy", ["a", "a"], ""),
        ("accuracy", ["z"], ""),
        ("recall", ["b", "b"], ""),
        ("balanced_accuracy", ["a", "a"], ""),
        ("recall_macro", ["a", "a"], ""),
        ("neg_log_loss", ["a", "a"], ""),
        ("neg_brier_score", ["a", "a"], ""),
    ],
)
def test_rows_on_which_no_classifier_has_the_score(
    name: str, target: list[str], reason: str
) -> None:
    score, rows = find_score(name, "classification", TWO), np.array(target, "U1")
    assert score.undefined(rows) == reason
    answers = Predictions(np.where(rows == "b", "b", "a"), np.full((len(rows), 2), 0.5))
    assert math.isnan(score(rows, answers)) == bool(reason)
    if reason:
        with pytest.raises(UserError, match=re.escape(f"score '{name}' is undefined on my rows: ")):
            check_rows(score, rows, rows="my rows")
    else:
        check_rows(score, rows)


@pytest.mark.parametrize(
    ("name", "target", "reason"),
    [
        ("r2", [2.0, 2.0], "every target is 2"),
        ("explained_variance", [2.0], "every target is 2"),
        ("d2_absolute_error_score", [2.0, 2.0], "every target is 2"),
        ("neg_mean_poisson_deviance", [-1.0, 3.0], "a target is -1"),
        ("neg_mean_gamma_deviance", [0.0, 3.0], "a target is 0"),
        ("neg_mean_squared_log_error", [-1.5, 3.0], "a target is -1.5"),
        ("neg_root_mean_squared_log_error", [-1.0, 3.0], "a target is -1"),
        ("neg_mean_absolute_percentage_error", [0.0, 3.0], "a target is 0, and the error"),
        ("neg_mean_absolute_error", [1.0, math.nan], "a target is NaN or infinite"),
        ("r2", [1.0, math.inf], "a target is NaN or infinite"),
        ("r2", [], "there are no rows"),
        ("neg_mean_poisson_deviance", [0.0, 3.0], ""),
        ("neg_mean_squared_log_error", [-0.5, 3.0], ""),
        ("neg_mean_absolute_error", [2.0, 2.0], ""),
        ("neg_max_error", [2.0], ""),
    ],
)
def test_rows_on_which_no_regressor_has_the_score(
    name: str, target: list[float], reason: str
) -> None:
    score, rows = find_score(name, "regression"), np.array(target)
    found = score.undefined(rows)
    assert found.startswith(reason)
    assert bool(found) == bool(reason)
    assert math.isnan(score(rows, Predictions(np.full(len(rows), 1.5), None))) == bool(reason)


def test_the_refusal_names_scores_that_are_defined() -> None:
    score = find_score("neg_mean_gamma_deviance", "regression")
    with pytest.raises(UserError, match="choose one of ") as error:
        check_rows(score, np.array([0.0, 1.0]), key="evaluate.score")
    named = str(error.value).partition("choose one of ")[2].split(", ")
    assert "neg_mean_poisson_deviance" in named
    assert not {"neg_mean_gamma_deviance", "neg_mean_absolute_percentage_error"} & set(named)


def test_a_label_that_the_model_does_not_know_is_wrong_whatever_it_answers() -> None:
    score = find_score("accuracy", "classification", TWO)
    assert score(np.array(["a", "z", "y"]), given(["a", "a", "b"])) == pytest.approx(1 / 3)
    macro = find_score("f1_macro", "classification", THREE)
    target, values = ["a", "b", "z", "b"], ["a", "b", "b", "c"]
    expected = f1_score(target, values, average="macro")
    assert macro(np.array(target), given(values)) == pytest.approx(expected)


def test_a_loss_of_probabilities_knows_a_class_without_rows() -> None:
    score = find_score("neg_log_loss", "classification", THREE)
    scores = [[0.5, 0.3, 0.2], [0.1, 0.6, 0.3]]
    expected = -log_loss(["a", "b"], scores, labels=["a", "b", "c"])
    assert score(np.array(["a", "b"]), given(["a", "b"], scores)) == pytest.approx(expected)


def test_numbers_and_texts_are_different_labels() -> None:
    score = find_score("accuracy", "classification", (1, 2))
    assert score(np.array(["1", "2"]), given([1, 2])) == 0
    assert score(np.array([1.0, 2.0]), given([1, 1])) == 0.5


def test_truths_are_zero_and_one() -> None:
    target = np.array([True, False, True])
    assert as_classes(target) == (0, 1)
    score = find_score("recall", "classification", as_classes(target), True)
    assert score(target, given([1, 0, 0])) == 0.5


@pytest.mark.parametrize(
    ("classes", "positive", "found"),
    [
        (TWO, None, "b"),
        (TWO, "a", "a"),
        ((1, 2), "1", 1),
        ((1, 2), 2, 2),
        (("0", "1"), 0, "0"),
        (("False", "True"), True, "True"),
        ((0, 1), False, 0),
        (("no", "yes"), True, "yes"),
        (("N", "Y"), False, "N"),
        (THREE, None, None),
        ((), None, None),
        (("only",), None, None),
    ],
)
def test_the_positive_class(classes: tuple[Any, ...], positive: Any, found: Any) -> None:
    task: Any = "classification" if classes else "regression"
    assert find_score(None, task, classes, positive).positive == found


def test_rounded_probabilities_add_up_as_scikit_learn_asks() -> None:
    exact = np.array([[0.2, 0.3, 0.5], [0.6, 0.29, 0.11], [0.1, 0.8, 0.1], [0.31, 0.32, 0.37]])
    target, values = np.array(["c", "a", "b", "b"]), np.array(["c", "a", "b", "c"])
    score = find_score("roc_auc_ovr", "classification", THREE)
    rounded = Predictions(values, exact * (1 + 5e-4) - 1e-6)
    assert score(target, rounded) == score(target, Predictions(values, exact))
    assert math.isnan(score(target, Predictions(values, exact * 1.1)))


def test_equal_probabilities_in_float32_stay_equal() -> None:
    """The second and third column make the sums of the rows differ in the last bits."""
    random = np.random.default_rng(0)
    first = np.repeat(np.array([0.1, 0.3, 0.6], np.float32), 40)
    rest = random.uniform(size=120).astype(np.float32)
    scores = np.stack([first, (1 - first) * rest, (1 - first) * (1 - rest)], axis=1)
    score = find_score("roc_auc_ovr", "classification", THREE)
    columns = score.columns(Predictions(np.full(120, "a"), scores.astype(np.float64)))
    assert columns is not None
    assert len(np.unique(columns[:, 0])) == 3


@pytest.mark.parametrize("bad", [math.nan, math.inf, -0.5])
def test_probabilities_that_are_none_have_no_score(bad: float) -> None:
    scores = np.array([[0.5, 0.5], [bad, 0.5]])
    score = find_score("neg_log_loss", "classification", TWO)
    assert math.isnan(score(np.array(["a", "b"]), Predictions(np.array(["a", "b"]), scores)))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("name", fitting_scores("regression", 0))
def test_a_number_that_is_none_has_no_score(name: str, bad: float) -> None:
    score = find_score(name, "regression")
    assert math.isnan(score(np.array([1.0, 2.0]), Predictions(np.array([1.0, bad]), None)))


def test_columns_for_pairs_of_classes_are_not_scores_of_classes() -> None:
    pairs = Predictions(np.array(["a", "b"]), np.ones((2, 6)), proper=False)
    score = find_score("top_k_accuracy", "classification", ("a", "b", "c", "d"))
    assert score.columns(pairs) is None
    assert math.isnan(score(np.array(["a", "b"]), pairs))


def test_ties_are_scikit_learns() -> None:
    target, column = np.array([0, 1, 1, 0, 1]), np.array([0.5, 0.5, 0.5, 0.2, 0.2])
    both = Predictions((column > 0.3).astype(int), np.stack([1 - column, column], axis=1))
    score = find_score("average_precision", "classification", (0, 1))
    assert score(target, both) == pytest.approx(average_precision_score(target, column))
    other = replace(score, positive=0)
    assert other(target, both) == pytest.approx(average_precision_score(1 - target, 1 - column))


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("mean_absolute_error", "neg_mean_absolute_error"),
        ("max_error", "neg_max_error"),
        ("F1", "f1"),
        ("auc", "roc_auc"),
        ("rmse", ""),
        ("avg_precision", "average_precision"),
        ("d2_log_loss", "d2_log_loss_score"),
        ("log_loss", "neg_log_loss"),
    ],
)
def test_the_nearest_name(name: str, near: str) -> None:
    assert nearest(name, SCORERS) == near


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("f1_makro", "classification", THREE), "did you mean 'f1_macro'? Else choose one of acc"),
        (
            ("zzz", "regression"),
            "should name a scorer of scikit-learn, got 'zzz'; choose one",
        ),
        ((3, "regression"), "score should name a scorer of scikit-learn, got 3"),
        (("v_measure_score", "classification", TWO), "compares clusterings, not predictions"),
        (("f1_samples", "classification", TWO), "is for several labels a row, and a row has one"),
        (("accuracy", "regression"), "is for classification, and the target has numbers"),
        (("neg_max_error", "classification", TWO), "is for regression, and the target has classes"),
        (("recall", "classification", THREE), "is for two classes, and the target has 3"),
        (("roc_auc", "classification", THREE), "is for two classes, and the target has 3"),
        (("f1", "classification", ("only",)), "is for two classes, and the target has 1"),
        (("top_k_accuracy", "classification", TWO), "is for three or more classes, and the ta"),
    ],
)
def test_a_name_that_does_not_fit_is_refused(arguments: tuple[Any, ...], expected: str) -> None:
    with pytest.raises(UserError) as error:
        find_score(*arguments)
    assert expected in str(error.value)
    assert "\n" not in str(error.value)


def test_what_a_model_cannot_answer_is_refused() -> None:
    with pytest.raises(UserError, match="'neg_log_loss' needs probabilities, and this model gives"):
        find_score("neg_log_loss", "classification", TWO, proper=False)
    with pytest.raises(UserError, match="'roc_auc' needs scores, and this model gives none"):
        find_score("roc_auc", "classification", TWO, proper=False, scored=False)


def test_a_model_of_one_class_has_accuracy() -> None:
    score = find_score("accuracy", "classification", ("only",))
    assert score(np.array(["only", "other"]), given(["only", "only"])) == 0.5


def test_the_default_score_of_any_answers() -> None:
    target = np.array(["a", "b", "a"])
    assert default_score("classification", target, np.array(["a", "z", "a"])) == pytest.approx(
        2 / 3
    )
    numbers = np.array([1.0, 2.0, 4.0])
    assert default_score("regression", numbers, numbers[::-1]) == pytest.approx(
        r2_score(numbers, numbers[::-1])
    )
    assert math.isnan(default_score("regression", np.ones(3), np.ones(3)))


def test_the_default_is_accuracy_or_r2() -> None:
    assert find_score(None, "classification", TWO).name == "accuracy"
    assert find_score(None, "regression") == Score("r2", "regression")
