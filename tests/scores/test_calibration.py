"""Bins of confidence, held against scikit-learn's calibration curve and a computed example."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from onnxpress.runtime.predictions import Predictions
from onnxpress.scores.calibration import Bin, calibration_error, reliability


def drawn(rows: int) -> tuple[np.ndarray, Predictions]:
    random = np.random.default_rng(0)
    chance = random.uniform(size=rows)
    target = np.where(random.uniform(size=rows) < chance**2, "yes", "no")
    scores = np.stack([1 - chance, chance], axis=1)
    return target, Predictions(np.where(chance > 0.5, "yes", "no"), scores)


def test_the_bins_are_scikit_learns_of_the_likeliest_class() -> None:
    target, given = drawn(5000)
    assert given.scores is not None
    confidence = given.scores.max(axis=1)
    right = target == given.values
    found = reliability(target, given, ("no", "yes"))
    accuracies, confidences = calibration_curve(right, confidence, n_bins=10, strategy="quantile")
    assert [each.accuracy for each in found] == pytest.approx(accuracies, abs=5e-3)
    assert [each.confidence for each in found] == pytest.approx(confidences, abs=1e-3)
    assert [each.rows for each in found] == [500] * 10
    gaps = np.abs(accuracies - confidences).mean()
    assert calibration_error(target, given, ("no", "yes")) == pytest.approx(gaps, abs=2e-3)


def test_rows_of_one_probability_are_in_one_bin() -> None:
    scores = np.array([[0.9, 0.1]] * 6 + [[0.4, 0.6]] * 4)
    target = np.array([0] * 5 + [1] * 5)
    given = Predictions(np.array([0] * 6 + [1] * 4), scores)
    found = reliability(target, given, (0, 1))
    assert [(each.rows, each.accuracy) for each in found] == [(4, 1.0), (6, pytest.approx(5 / 6))]
    error = 0.4 * 0.4 + 0.6 * abs(5 / 6 - 0.9)
    assert calibration_error(target, given, (0, 1)) == pytest.approx(error)


def test_the_likeliest_class_counts_not_a_label_by_another_threshold() -> None:
    target, given = drawn(500)
    strict = Predictions(np.full(500, "no"), given.scores)
    assert reliability(target, strict, ("no", "yes")) == reliability(target, given, ("no", "yes"))


def test_sure_and_right_has_no_error() -> None:
    target = np.array([3, 1, 2])
    given = Predictions(target, np.eye(3)[[2, 0, 1]])
    assert calibration_error(target, given, (1, 2, 3)) == 0
    assert reliability(target, given, (1, 2, 3)) == (Bin(3, 1.0, 1.0),)


@pytest.mark.parametrize(
    "given",
    [
        Predictions(np.array([0, 1]), None),
        Predictions(np.array([0, 1]), np.eye(2), proper=False),
        Predictions(np.array([0, 1]), np.full((2, 2), np.nan)),
    ],
)
def test_without_probabilities_there_is_none(given: Predictions) -> None:
    assert reliability(np.array([0, 1]), given, (0, 1)) == ()
    assert math.isnan(calibration_error(np.array([0, 1]), given, (0, 1)))


def test_without_rows_there_is_none() -> None:
    given = Predictions(np.zeros(0, np.int64), np.zeros((0, 2)))
    assert math.isnan(calibration_error(np.zeros(0, np.int64), given, (0, 1)))
