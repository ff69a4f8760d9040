"""Which limits apply, and when a loss is over one."""

from __future__ import annotations

import math
from typing import Any

import pytest

from onnxpress.errors import UserError
from onnxpress.limits import (
    CALIBRATION,
    KEYS,
    TEST,
    error_quantile,
    is_known,
    pinball_quantile,
    with_defaults,
)
from onnxpress.scores.budgets import check_limits, exceeded
from onnxpress.scores.losses import Loss
from onnxpress.scores.score import Score, find_score

TWO = find_score(None, "classification", ("a", "b"))
NUMBERS = Score("r2", "regression")
SEVERAL = Score("r2", "regression", targets=2)


def test_the_defaults_are_those_of_the_contract() -> None:
    assert CALIBRATION == {"score": 0.0, "recall_worst_loss": 0.02}
    assert TEST == {"score": 0.01, "recall_worst_loss": 0.05}


def test_a_key_that_is_left_out_has_its_default_and_null_switches_it_off() -> None:
    limits = with_defaults({"recall_worst_loss": None, "f1": 0.1}, TEST)
    assert check_limits(limits, TWO) == {"score": 0.01, "f1": 0.1}


def test_recall_does_not_apply_to_numbers() -> None:
    assert check_limits(CALIBRATION, NUMBERS) == {"score": 0.0}


def test_every_key_is_known_and_quantiles_too() -> None:
    assert all(map(is_known, [*KEYS, "max_abs_error_p5", "max_abs_error_p99", "f1_macro"]))
    assert not any(map(is_known, ["", "max_abs_error_p0", "max_abs_error_p100", "max_abs_error_p"]))
    assert error_quantile("max_abs_error_p95") == 0.95
    assert pinball_quantile("neg_mean_pinball_loss_p5") == 0.05
    assert is_known("neg_mean_pinball_loss_p99")
    assert not is_known("neg_mean_pinball_loss")


def test_every_key_fits_one_of_the_tasks() -> None:
    for key in KEYS:
        fits = []
        for score in (TWO, NUMBERS, SEVERAL):
            try:
                check_limits({key: 0.1}, score)
                fits.append(score.task)
            except UserError:
                pass
        assert fits


@pytest.mark.parametrize(
    ("limits", "score", "expected"),
    [
        ({"scor": 0.1}, TWO, "max_drop has the unknown key 'scor'; did you mean 'score'?"),
        ({"f1_makro": 0.1}, TWO, "did you mean 'f1_macro'?"),
        ({"within_tolerance": 0}, TWO, "max_drop.within_tolerance is for regression"),
        ({"max_abs_error": 0}, TWO, "max_drop.max_abs_error is for regression"),
        (
            {"neg_mean_pinball_loss": 0},
            NUMBERS,
            "unknown key 'neg_mean_pinball_loss'; did you mean 'neg_mean_pinball_loss_p90'?",
        ),
        ({"neg_mean_pinball_loss_p90": 0}, TWO, "is for regression, and the target has classes"),
        ({"log_loss": 0}, NUMBERS, "max_drop.log_loss is for classes"),
        ({"roc_auc": 0}, NUMBERS, "max_drop: 'roc_auc' is for classification"),
        ({"score": -0.1}, TWO, "max_drop.score should be a number from 0 on or null, got -0.1"),
        ({"score": math.nan}, TWO, "max_drop.score should be a number from 0 on or null, got nan"),
        ({"score": math.inf}, TWO, "max_drop.score should be finite, or null for no limit"),
        ({"score": "0.1"}, TWO, "max_drop.score should be a number from 0 on or null, got '0.1'"),
        ({"score": True}, TWO, "max_drop.score should be a number from 0 on or null, got True"),
    ],
)
def test_a_limit_that_does_not_fit_is_refused(
    limits: dict[str, Any], score: Score, expected: str
) -> None:
    with pytest.raises(UserError) as error:
        check_limits(limits, score)
    assert expected in str(error.value)


@pytest.mark.parametrize("key", ["log_loss", "brier", "neg_log_loss", "roc_auc_ovr"])
def test_probabilities_are_asked_for(key: str) -> None:
    with pytest.raises(UserError, match="needs probabilities"):
        check_limits({key: 0.1}, TWO, proper=False)


def loss(value: float, key: str = "score", **more: Any) -> Loss:
    return Loss(key, value, 0.0, more.pop("rows", 100), **more)


@pytest.mark.parametrize(
    ("value", "limit", "over"),
    [
        (0.01, 0.01, False),
        (0.01 + 1e-12, 0.01, False),
        (0.0101, 0.01, True),
        (-0.5, 0.0, False),
        (math.nan, 0.5, True),
        (math.inf, 0.5, True),
    ],
)
def test_the_estimate_decides_and_what_cannot_be_told_is_over(
    value: float, limit: float, *, over: bool
) -> None:
    assert exceeded(loss(value), limit) is over


def test_a_disagreement_on_calibration_rows_is_judged_by_its_bound() -> None:
    found = loss(0.0, "disagreement", upper=0.03)
    assert not exceeded(found, 0.01)
    assert exceeded(found, 0.01, by_bound=True)
    assert not exceeded(found, 0.03, by_bound=True)
    assert exceeded(loss(0.0, upper=0.03), 0.01, by_bound=True)
    assert not exceeded(loss(0.0), 0.01, by_bound=True)


def test_a_class_too_small_to_tell_may_lose_no_row_on_calibration_rows() -> None:
    found = loss(0.0, "recall_worst_loss", rare_lost=1)
    assert not exceeded(found, 0.02)
    assert exceeded(found, 0.02, by_bound=True)


def test_recall_that_nothing_is_known_of_is_not_over() -> None:
    found = loss(math.nan, "recall_worst_loss", rows=0)
    assert not exceeded(found, 0.02)
    assert not exceeded(found, 0.02, by_bound=True)
