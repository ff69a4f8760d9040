"""Answers of a runtime against the expected ones: labels, numbers, gaps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onnxpress.certify.comparing import Outcome, finding
from onnxpress.certify.replaying import Answer

LABELS = np.array([0, 1, 1])
SCORES = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]], np.float32)


def compared(*outputs: Any, expected: tuple[Any, ...] = (LABELS, SCORES)) -> Any:
    return finding(expected, Answer("", tuple(map(np.asarray, outputs)), 1.0, 0.1))


def test_equal_answers_are_equal_whatever_type_a_label_has() -> None:
    found = compared(LABELS.astype(np.int32), SCORES.astype(np.float64) + 9e-6)
    assert (found.outcome, found.agreeing, found.rows) == (Outcome.EQUAL, 3, 3)
    assert found.largest == pytest.approx(9e-6)


def test_another_label_is_counted() -> None:
    found = compared([0, 1, 0], SCORES)
    assert (found.outcome, found.agreeing) == (Outcome.DIFFERENT, 2)
    assert found.to_json()["agreement"] == pytest.approx(2 / 3)


def test_equal_labels_with_other_probabilities_are_not_equal() -> None:
    found = compared(LABELS, SCORES + np.float32(0.01))
    assert (found.outcome, found.agreeing) == (Outcome.DIFFERENT, 3)


def test_a_difference_is_relative_above_one() -> None:
    numbers = np.array([0.5, 2e6, -2e6])
    assert compared([0.5, 2e6 + 10, -2e6], expected=(numbers,)).outcome is Outcome.EQUAL
    found = compared([0.50002, 2e6, -2e6], expected=(numbers,))
    assert (found.outcome, found.agreeing) == (Outcome.DIFFERENT, 2)


@pytest.mark.parametrize("other", [0.5, np.inf, -np.inf])
def test_a_gap_equals_only_a_gap(other: float) -> None:
    gaps = np.array([np.nan, 1.0])
    assert compared(gaps, expected=(gaps,)).outcome is Outcome.EQUAL
    found = compared([other, 1.0], expected=(gaps,))
    assert (found.outcome, found.agreeing, found.largest) == (Outcome.DIFFERENT, 1, None)


def test_outputs_of_another_shape_or_number_differ() -> None:
    for outputs in ([LABELS], [LABELS, SCORES[:, :1]], [LABELS[:2], SCORES]):
        assert compared(*outputs).agreeing == 0


def test_an_error_is_an_outcome_of_its_own() -> None:
    found = finding((LABELS, SCORES), Answer("no kernel"))
    assert found.to_json() == {"outcome": "does not run", "reason": "no kernel"}
