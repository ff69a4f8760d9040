"""The average precision of rare classes, which guards them where their recall shows nothing."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from onnxpress.runtime.predictions import Predictions
from onnxpress.scores.budgets import exceeded
from onnxpress.scores.losses import measured_losses
from onnxpress.scores.ranking import ranking_losses
from onnxpress.scores.score import Score, find_score

ROWS, RARE = 2000, 40
RANDOM = np.random.default_rng(7)
TARGET = np.array(["fraud"] * RARE + ["usual"] * (ROWS - RARE))
TWO = find_score("accuracy", "classification", ("fraud", "usual"), "fraud")


def binary(fraud: NDArray[np.float64]) -> Predictions:
    """Predictions from the probability of fraud, labelled at a half."""
    scores = np.stack([fraud, 1 - fraud], axis=1)
    return Predictions(np.where(fraud > 0.5, "fraud", "usual"), scores)


SHARP = binary(np.where(TARGET == "fraud", 0.4, 0.1) * RANDOM.random(ROWS))
BLURRED = binary(0.4 * RANDOM.random(ROWS))
"""Neither labels any row as fraud, so both have the same recall; one ranks and one does not."""


def test_the_loss_is_scikit_learns_average_precision_of_the_rare_class() -> None:
    own = (TARGET == "fraud").astype(int)
    pair = SHARP.scores, BLURRED.scores
    assert pair[0] is not None
    assert pair[1] is not None
    one, other = (average_precision_score(own, scores[:, 0]) for scores in (pair[0], pair[1]))
    found = ranking_losses(TWO, TARGET, SHARP, BLURRED)
    assert list(found) == ["fraud"]
    value, error = found["fraud"]
    assert value == pytest.approx(one - other)
    assert 0 < error < value


def test_of_several_classes_each_rare_one_is_held_against_all_others() -> None:
    score = Score("accuracy", "classification", (1, 2, 3))
    target = np.repeat([1, 2, 3], [60, 100, 840])
    scores = RANDOM.dirichlet([1, 1, 1], 1000)
    after = Predictions(target, RANDOM.dirichlet([1, 1, 1], 1000))
    found = ranking_losses(score, target, Predictions(target, scores), after)
    expected = {
        label: average_precision_score(target == label, scores[:, column])
        - average_precision_score(target == label, after.scores[:, column])
        for column, label in enumerate((1, 2))
        if after.scores is not None
    }
    assert {label: value for label, (value, _) in found.items()} == pytest.approx(expected)


def test_common_classes_and_models_without_scores_have_none() -> None:
    even = np.array(["fraud", "usual"] * (ROWS // 2))
    assert ranking_losses(TWO, even, SHARP, BLURRED) == {}
    labels = Predictions(SHARP.values, None)
    assert ranking_losses(TWO, TARGET, labels, labels) == {}


def test_a_class_absent_from_the_rows_has_none() -> None:
    kept = TARGET == "usual"
    assert ranking_losses(TWO, TARGET[kept], SHARP.take(kept), BLURRED.take(kept)) == {}


def test_a_ranking_that_is_lost_exceeds_the_limit_of_recall_where_recall_shows_nothing() -> None:
    loss = measured_losses(["recall_worst_loss"], TWO, TARGET, SHARP, BLURRED)["recall_worst_loss"]
    assert loss.value == 0
    assert exceeded(loss, 0.02, by_bound=True)
    assert not exceeded(loss, 0.02)  # on test rows the estimate of recall decides
    assert loss.ranked.startswith("class 'fraud' loses 0.")


def test_the_same_predictions_lose_nothing() -> None:
    loss = measured_losses(["recall_worst_loss"], TWO, TARGET, SHARP, SHARP)["recall_worst_loss"]
    assert loss.ranking == 0
    assert not exceeded(loss, 0.0, by_bound=True)
