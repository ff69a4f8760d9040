"""Scores and limits that do not fit are refused before the fit, in one line."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from onnxpress.conversion.rehearsed_fit import fit_rehearsed
from onnxpress.errors import UserError
from onnxpress.limits import CALIBRATION, TEST
from onnxpress.pipeline.params import Asked
from onnxpress.pipeline.score_check import ScoreCheck
from onnxpress.runtime.predictions import Predictions
from onnxpress.scores.scorers import Task
from onnxpress.tables.rows import Rows
from tests.conftest import numeric_schema

NOTHING = Asked(None, (), None, CALIBRATION, TEST)
TWO = np.array(["no", "yes"] * 20)
THREE = np.array([1, 2, 3] * 20)
NUMBERS = np.linspace(1, 5, 40)
NONE = TWO[:0]


def check(task: Task, train: NDArray[Any], rows: NDArray[Any] = NONE, **asked: Any) -> ScoreCheck:
    return ScoreCheck(replace(NOTHING, **asked), task, Rows({}, train), Rows({}, rows))


@pytest.mark.parametrize(
    "asked",
    [
        check("classification", TWO),
        check("classification", TWO, TWO, score="average_precision", also=("f1",), positive="no"),
        check("classification", THREE, score="f1_macro"),
        check("regression", NUMBERS, score="neg_mean_gamma_deviance"),
        check("regression", np.ones(9)),
        check("classification", np.array(["one"] * 9)),
    ],
)
def test_what_fits_passes(asked: ScoreCheck) -> None:
    asked.before_fit()


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (
            check("classification", TWO, score="r2"),
            (
                "params.yaml: evaluate.score 'r2' is for regression, and the target has classes; "
                "choose one of accuracy, average_precision"
            ),
        ),
        (
            check("regression", NUMBERS, also=("f1",)),
            "params.yaml: evaluate.also 'f1' is for classification, and the target has numbers",
        ),
        (
            check("classification", THREE, score="f1"),
            "evaluate.score 'f1' is for two classes, and the target has 3; choose one of",
        ),
        (
            check("classification", TWO, score="top_k_accuracy"),
            "'top_k_accuracy' is for three or more classes, and the target has 2",
        ),
        (
            check("classification", TWO, score="rand_score"),
            "'rand_score' compares clusterings, not predictions",
        ),
        (
            check("classification", TWO, score="f1_samples"),
            "'f1_samples' is for several labels a row",
        ),
        (
            check("classification", TWO, positive="maybe"),
            "evaluate.positive should be a class of the target, 'no' or 'yes', got 'maybe'",
        ),
        (
            check("classification", THREE, positive=1),
            "evaluate.positive should be null, got 1: it is for two classes",
        ),
        (
            check("regression", NUMBERS, positive="yes"),
            "evaluate.positive should be null, got 'yes': the target has numbers, not classes",
        ),
        (
            check("regression", np.append(NUMBERS, -1), score="neg_mean_poisson_deviance"),
            (
                "evaluate.score 'neg_mean_poisson_deviance' is undefined on the 41 training rows: "
                "a target is -1; choose one of d2_absolute_error_score"
            ),
        ),
        (
            check("classification", TWO, np.array(["no"] * 5), score="roc_auc"),
            "'roc_auc' is undefined on the 5 calibration rows: no row is of the class 'yes'",
        ),
        (
            check("regression", np.ones(9), score="r2"),
            "'r2' is undefined on the 9 training rows: every target is 1",
        ),
        (
            check("classification", TWO, np.array(["no"] * 5), calibration={"f1": 0.1}),
            "quantize.max_drop: 'f1' is undefined on the 5 calibration rows",
        ),
        (
            check("regression", NUMBERS, calibration={"brier": 0.1}),
            "quantize.max_drop.brier is for classes, and the target has numbers",
        ),
        (
            check("classification", TWO, test={"max_abs_error_p95": 0.1}),
            "gate.max_drop.max_abs_error_p95 is for regression, and the target has classes",
        ),
        (
            check("classification", TWO, test={"r2": 0.1}),
            "gate.max_drop: 'r2' is for regression, and the target has classes",
        ),
    ],
)
def test_what_does_not_fit_is_one_line_that_names_the_key(asked: ScoreCheck, expected: str) -> None:
    with pytest.raises(UserError, match="params.yaml") as error:
        asked.before_fit()
    assert expected in str(error.value)
    assert "\n" not in str(error.value)


DECISIONS = Predictions(TWO, np.zeros((40, 2)), proper=False)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"score": "neg_log_loss"}, "evaluate.score 'neg_log_loss' needs probabilities, and this"),
        ({"also": ("roc_auc_ovr",)}, "evaluate.also 'roc_auc_ovr' needs probabilities"),
        ({"calibration": {"brier": 0.1}}, "quantize.max_drop.brier needs probabilities"),
        ({"test": {"neg_brier_score": 0.1}}, "gate.max_drop: 'neg_brier_score' needs prob"),
    ],
)
def test_a_model_without_probabilities_is_refused_where_they_are_needed(
    asked: dict[str, Any], expected: str
) -> None:
    checked = check("classification", TWO, **asked)
    checked.before_fit()
    checked.of_predictions(Predictions(TWO, np.full((40, 2), 0.5)))
    with pytest.raises(UserError, match="params.yaml") as error:
        checked.of_predictions(DECISIONS)
    assert expected in str(error.value)


def test_a_long_fit_does_not_begin_if_the_model_will_lack_what_the_score_needs() -> None:
    """A clone that was fitted on a few rows tells, for methods may exist only after a fit."""
    rows = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    table = Rows({"X": rows}, TWO)
    checked = check("classification", TWO, score="neg_log_loss")
    machine = LinearSVC()
    with pytest.raises(UserError, match="'neg_log_loss' needs probabilities"):
        fit_rehearsed(machine, table, table, numeric_schema(4), checked.of_predictions)
    assert not hasattr(machine, "coef_")
    tree = DecisionTreeClassifier(max_depth=2)
    fit_rehearsed(tree, table, table, numeric_schema(4), checked.of_predictions)
    assert tree.tree_.node_count > 0


def test_decision_scores_are_enough_for_ranks() -> None:
    check("classification", TWO, score="average_precision", also=("roc_auc",)).of_predictions(
        DECISIONS
    )
