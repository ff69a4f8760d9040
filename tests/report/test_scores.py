"""Scores as they are written, and the table of all that were recorded."""

from __future__ import annotations

import pytest
from sklearn.metrics import get_scorer_names

from onnxpress.report.score_words import (
    bound,
    is_share,
    number,
    percent,
    unit_of,
    with_class,
    with_error,
)
from onnxpress.report.scores import also_lines, score_rows
from tests.support.results import DETAIL, METRICS


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.9, "0.9000"),
        (-0.25, "-0.2500"),
        (0.0, "0.0000"),
        (0.0000123, "0.0000123"),
        (-0.00005, "-0.0000500"),
        (1.234e-9, "1.23e-09"),
        (-12345.678, "-12,350"),
        (None, "-"),
    ],
)
def test_a_score_has_four_decimals_or_four_digits(value: float | None, text: str) -> None:
    assert number(value) == text


def test_a_difference_has_its_standard_error_and_no_minus_zero() -> None:
    assert with_error(0.0333, 0.0328) == "0.0333 \N{PLUS-MINUS SIGN} 0.0328"
    assert with_error(-0.0, None) == "0.0000"


@pytest.mark.parametrize("share", [0.148001, 0.1, 0.0100001, 1e-5, 1.0, 0.0])
def test_a_bound_is_never_shown_below_itself(share: float) -> None:
    shown = float(bound(share).strip("\N{LESS-THAN OR EQUAL TO} ")) / 100
    assert share - 1e-15 <= shown <= share * 1.01
    assert percent(0.0333333) == "3.33 %"


def test_only_shares_of_rows_are_in_percentage_points() -> None:
    shares = {name for name in get_scorer_names() if is_share(name)}
    assert {"accuracy", "balanced_accuracy", "recall", "precision_weighted"} <= shares
    assert not [name for name in shares if name.startswith(("neg_", "roc", "r2", "f1", "average"))]
    assert {unit_of(name)[0] for name in shares} == {100.0}
    assert unit_of("neg_log_loss") == (1.0, "")


def test_a_score_of_one_class_names_it_and_another_does_not() -> None:
    assert with_class("average_precision", "fraud") == "average_precision of 'fraud'"
    assert with_class("accuracy", "fraud") == "accuracy"
    assert with_class("f1", None) == "f1"


SCORED = METRICS | {
    "original_roc_auc": 0.91,
    "onnx_roc_auc": 0.91,
    "quantized_roc_auc": 0.9,
    "quantized_roc_auc_drop": 0.01,
    "quantized_roc_auc_drop_se": 0.004,
    "original_log_loss": 0.3,
    "quantized_log_loss": 0.2,
    "original_neg_log_loss": -0.3,
    "quantized_neg_log_loss": -0.2,
    "quantized_recall_worst_loss": 0.125,
}
MORE = DETAIL | {"also": ["roc_auc", "neg_log_loss"]}


def test_every_recorded_score_has_a_row_and_a_loss_is_worse_where_it_grows() -> None:
    rows = {row[0]: row[1:] for row in score_rows(SCORED, MORE)}
    assert rows == {
        "accuracy": ["0.9000", "0.9000", "0.9333", "-0.0333"],
        "roc_auc": ["0.9100", "0.9100", "0.9000", "0.0100 \N{PLUS-MINUS SIGN} 0.0040"],
        "neg_log_loss": ["-0.3000", "-", "-0.2000", "-0.1000"],
        "log loss (less is better)": ["0.3000", "-", "0.2000", "-0.1000"],
        "largest loss of recall of a class": ["-", "-", "-", "0.1250"],
    }


def test_the_chosen_score_comes_first() -> None:
    detail = DETAIL | {"score": {"name": "roc_auc", "positive": 1}, "also": ["accuracy"]}
    assert [row[0] for row in score_rows(SCORED, detail)][:2] == ["roc_auc", "accuracy"]


def test_each_further_score_has_a_line() -> None:
    lines = list(also_lines(SCORED, MORE))
    assert lines[0] == (
        "roc_auc: original 0.9100, ONNX 0.9100, quantised 0.9000; "
        "worse by 0.0100 \N{PLUS-MINUS SIGN} 0.0040"
    )
