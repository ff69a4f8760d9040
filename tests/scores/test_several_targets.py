"""Scores and losses of several targets, against scikit-learn's own functions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics

from onnxpress.errors import UserError
from onnxpress.runtime.predictions import Predictions
from onnxpress.scores.budgets import check_limits
from onnxpress.scores.errors import score_error
from onnxpress.scores.losses import measured_losses
from onnxpress.scores.row_losses import row_losses
from onnxpress.scores.score import Score, check_rows, find_score

RANDOM = np.random.default_rng(0)
TARGET = RANDOM.uniform(1, 2, (200, 2)) * [1, 1000]
BEFORE = Predictions(TARGET + RANDOM.normal(size=(200, 2)) * [0.1, 50], None)
AFTER = Predictions(TARGET + RANDOM.normal(size=(200, 2)) * [0.05, 100], None)

ERRORS = {
    "neg_mean_absolute_error": metrics.mean_absolute_error,
    "neg_mean_squared_error": metrics.mean_squared_error,
    "neg_root_mean_squared_error": metrics.root_mean_squared_error,
    "neg_mean_squared_log_error": metrics.mean_squared_log_error,
    "neg_mean_absolute_percentage_error": metrics.mean_absolute_percentage_error,
    "neg_median_absolute_error": metrics.median_absolute_error,
}
QUALITIES = {
    "r2": metrics.r2_score,
    "explained_variance": metrics.explained_variance_score,
    "d2_absolute_error_score": metrics.d2_absolute_error_score,
}


@pytest.mark.parametrize("name", [*ERRORS, *QUALITIES])
def test_a_score_is_the_mean_of_those_of_the_targets(name: str) -> None:
    function, sign = (ERRORS[name], -1) if name in ERRORS else (QUALITIES[name], 1)
    score = find_score(name, "regression", targets=2)
    alone = [sign * function(TARGET[:, each], BEFORE.values[:, each]) for each in range(2)]
    assert score(TARGET, BEFORE) == pytest.approx(np.mean(alone))
    losses = row_losses(score, TARGET, BEFORE)
    if losses is not None:
        assert -losses.mean() == pytest.approx(score(TARGET, BEFORE))


@pytest.mark.parametrize("name", ["neg_max_error", "neg_mean_poisson_deviance"])
def test_a_score_of_one_target_is_refused(name: str) -> None:
    assert find_score(name, "regression").name == name
    with pytest.raises(UserError, match="is for one target, and there are several; choose one of"):
        find_score(name, "regression", targets=2)


def test_a_constant_target_leaves_r2_undefined() -> None:
    target = np.column_stack([TARGET[:, 0], np.full(200, 7.0)])
    with pytest.raises(UserError, match="every target is 7; choose one of .*neg_mean_absolute"):
        check_rows(Score("r2", "regression", targets=2), target)


def test_a_row_agrees_if_each_of_its_numbers_does() -> None:
    before = Predictions(np.array([[1.0, 100.0], [1.0, 100.0], [1.0, 100.0]]), None)
    after = Predictions(np.array([[1.1, 101.0], [1.3, 100.0], [1.0, 103.0]]), None)
    keys = ["disagreement", "max_abs_error", "max_abs_error_p50"]
    found = measured_losses(
        keys,
        Score("r2", "regression", targets=2),
        before.values,
        before,
        after,
        limit=np.array([0.2, 2.0]),
    )
    assert found["disagreement"].value == pytest.approx(2 / 3)
    assert found["max_abs_error"].value == pytest.approx(3.0)
    assert found["max_abs_error_p50"].value == pytest.approx(1.0)


def test_the_worst_target_is_not_paid_for_by_another() -> None:
    score = Score("r2", "regression", targets=2)
    found = measured_losses(["score", "target_worst_loss"], score, TARGET, BEFORE, AFTER)
    alone = [
        metrics.r2_score(TARGET[:, each], BEFORE.values[:, each])
        - metrics.r2_score(TARGET[:, each], AFTER.values[:, each])
        for each in range(2)
    ]
    assert alone[0] < 0 < alone[1]
    assert found["score"].value == pytest.approx(np.mean(alone))
    assert found["target_worst_loss"].value == pytest.approx(alone[1])
    assert found["target_worst_loss"].about == "target 2 of 2"
    single = Predictions(BEFORE.values[:, 1], None), Predictions(AFTER.values[:, 1], None)
    error = score_error(Score("r2", "regression"), TARGET[:, 1], *single)
    assert found["target_worst_loss"].error == error > 0


def test_the_worst_target_is_unknown_if_one_is() -> None:
    broken = Predictions(np.column_stack([AFTER.values[:, 0], np.full(200, np.nan)]), None)
    score = Score("r2", "regression", targets=2)
    found = measured_losses(["target_worst_loss"], score, TARGET, BEFORE, broken)
    assert math.isnan(found["target_worst_loss"].value)


def test_a_limit_on_the_worst_target_needs_several() -> None:
    limits = {"target_worst_loss": 0.1}
    assert check_limits(limits, Score("r2", "regression", targets=2)) == limits
    with pytest.raises(UserError, match="is for several targets, and there is one; remove it"):
        check_limits(limits, Score("r2", "regression"))
    with pytest.raises(UserError, match="is for regression, and the target has classes"):
        check_limits(limits, Score("accuracy", "classification", (0, 1), 1))
