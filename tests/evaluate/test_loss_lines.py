"""What quantisation changed is said in words, and only what the rows can tell."""

from __future__ import annotations

import pytest

from onnxpress.evaluate.loss_lines import (
    bound_lines,
    deciding_line,
    recall_lines,
    worse_probabilities,
)
from onnxpress.scores.losses import Loss


def agreeing(rows: int, share: float = 0.0, upper: float = 0.0095) -> dict[str, float]:
    return {
        "test_rows": rows,
        "quantized_disagreement": share,
        "quantized_disagreement_upper": upper,
    }


def test_a_test_set_too_small_for_a_bound_of_one_percent_is_told_the_rows_that_take_it() -> None:
    (line,) = bound_lines(agreeing(298, upper=1 - 0.05 ** (1 / 298)))
    assert "on 0 of 298 test rows: on at most 1.01 % of all rows like these (95 % bound)" in line
    assert line.endswith("a bound of 1 % takes 299 test rows or more, even if none differs")
    (line,) = bound_lines(agreeing(299, upper=1 - 0.05 ** (1 / 299)))
    assert "299 test rows or more" not in line


def test_probe_rows_have_a_bound_of_their_own() -> None:
    probed = {
        "probe_rows": 50,
        "quantized_probe_disagreement": 0.1,
        "quantized_probe_disagreement_upper": 0.199,
    }
    _, line = bound_lines(agreeing(1000) | probed)
    assert "on 5 of 50 probe rows: on at most 19.9 % of all rows like these" in line
    assert "takes" not in line


def test_rows_that_decide_are_counted_on_both_sides() -> None:
    line = deciding_line({"test_rows": 30, "quantized_rows_lost": 1, "quantized_rows_won": 2})
    assert line is not None
    assert (
        "of 30 test rows the original alone is right on 1, the quantised model alone on 2" in line
    )
    none = {"test_rows": 30, "quantized_rows_lost": 0, "quantized_rows_won": 0}
    assert deciding_line(none) is None
    assert deciding_line({"test_rows": 30}) is None


WORSE = {
    "test_rows": 1000,
    "quantized_agreement": 0.99,
    "quantized_rows_lost": 5,
    "quantized_rows_won": 5,
    "original_log_loss": 0.3,
    "quantized_log_loss": 0.42,
    "quantized_log_loss_drop": 0.12,
    "quantized_log_loss_drop_se": 0.02,
    "original_calibration_error": 0.02,
    "quantized_calibration_error": 0.03,
    "quantized_calibration_error_drop": 0.01,
    "quantized_calibration_error_drop_se": 0.01,
}


def test_probabilities_that_got_worse_behind_labels_that_agree_are_said_so() -> None:
    line = worse_probabilities(WORSE)
    assert line is not None
    assert line.startswith("99 % of the quantised model's labels are the original's")
    assert "its probabilities got worse: log loss 0.3000 -> 0.4200 (standard error 0.02);" in line
    assert "calibration" not in line  # within its error


@pytest.mark.parametrize(
    "change",
    [
        {"quantized_log_loss_drop": 0.03},  # 1.5 standard errors
        {"quantized_log_loss_drop": -0.12},
        {"quantized_log_loss_drop": 1e-7, "quantized_log_loss_drop_se": 1e-8},
        {"quantized_rows_lost": 30},  # (30 - 5) rows, and 1.645 * sqrt(30 + 5) = 9.7
    ],
    ids=["within the error", "better", "rounding", "labels got worse"],
)
def test_nothing_is_said_within_the_error_or_where_labels_got_worse_too(
    change: dict[str, float],
) -> None:
    assert worse_probabilities(WORSE | change) is None


def test_no_line_for_a_loss_without_an_error_or_for_regression() -> None:
    without = {key: value for key, value in WORSE.items() if not key.endswith("_se")}
    assert worse_probabilities(without) is None
    assert worse_probabilities({"test_rows": 10}) is None


def test_the_class_that_loses_most_is_named_and_those_with_too_few_rows() -> None:
    loss = Loss("recall_worst_loss", 0.24, 0.05, 120, about="class 'fraud'")
    (line,) = recall_lines({"recall_worst_loss": loss})
    assert line == (
        "recall: quantisation costs at most 0.24 (standard error 0.05, 120 rows), class 'fraud'"
    )
    few = Loss("recall_worst_loss", float("nan"), float("nan"), 0, about="too few: 'a' (3)")
    assert list(recall_lines({"recall_worst_loss": few})) == ["recall: too few: 'a' (3)"]
    assert list(recall_lines({})) == []
