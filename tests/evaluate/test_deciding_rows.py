"""The rows that move a score, against the score computed with each answer exchanged."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import (
    average_precision_score,
    f1_score,
    log_loss,
    mean_absolute_error,
    r2_score,
)

from onnxpress.evaluate.deciding_rows import MOST_LISTED, MOST_TRIED, deciding_rows
from onnxpress.runtime.predictions import Predictions
from onnxpress.scores.score import Score, find_score

DRAW = np.random.default_rng(0)


def of_labels(values: Any) -> Predictions:
    return Predictions(np.array(values), None)


def of_probabilities(positive: Any, classes: Any = (0, 1)) -> Predictions:
    scores = np.stack([1 - np.array(positive), np.array(positive)], axis=1)
    return Predictions(np.array(classes)[scores.argmax(axis=1)], scores)


def test_of_accuracy_the_rows_with_one_right_answer_count_one_row_each() -> None:
    target = np.array(["a", "a", "b", "b", "b"])
    before = of_labels(["a", "a", "b", "a", "a"])
    after = of_labels(["a", "b", "b", "b", "a"])
    found = deciding_rows(find_score(None, "classification", ("a", "b")), target, before, after)
    assert [each.row for each in found.rows] == [1, 3]
    assert [each.effect for each in found.rows] == pytest.approx([-1 / 5, 1 / 5])
    assert (found.moving, found.all_tried) == (2, True)


def test_of_another_score_each_row_counts_by_exchanging_its_answer() -> None:
    target = DRAW.integers(0, 2, 40)
    before, after = (of_labels(DRAW.integers(0, 2, 40)) for _ in range(2))
    found = deciding_rows(find_score("f1", "classification", (0, 1)), target, before, after)
    expected = {}
    for row in range(40):
        exchanged = after.values.copy()
        exchanged[row] = before.values[row]
        effect = f1_score(target, after.values) - f1_score(target, exchanged)
        if effect:
            expected[row] = pytest.approx(effect)
    assert found.moving == len(expected)
    assert {each.row: each.effect for each in found.rows}.items() <= expected.items()
    assert len(found.rows) == min(MOST_LISTED, len(expected))


@pytest.mark.parametrize(
    ("name", "compute"),
    [
        ("average_precision", average_precision_score),
        ("neg_log_loss", lambda target, share: -log_loss(target, share)),
    ],
)
def test_of_probabilities_too_and_the_largest_effect_comes_first(name: str, compute: Any) -> None:
    target = DRAW.integers(0, 2, 30)
    shares = [np.clip(0.3 * target + 0.6 * DRAW.random(30), 0.01, 0.99) for _ in range(2)]
    before, after = map(of_probabilities, shares)
    found = deciding_rows(find_score(name, "classification", (0, 1)), target, before, after)
    effects = {}
    for row in range(30):
        exchanged = shares[1].copy()
        exchanged[row] = shares[0][row]
        effects[row] = compute(target, shares[1]) - compute(target, exchanged)
    largest = max(effects.values(), key=abs)
    assert found.rows[0].effect == pytest.approx(largest)
    assert {each.row: each.effect for each in found.rows} == {
        each.row: pytest.approx(effects[each.row]) for each in found.rows
    }
    first = found.rows[0]
    of_class = [share[first.row] if target[first.row] else 1 - share[first.row] for share in shares]
    assert first.probabilities == pytest.approx(of_class)


@pytest.mark.parametrize(
    ("name", "compute", "found_of_all"),
    [
        ("neg_mean_absolute_error", lambda *pair: -mean_absolute_error(*pair), (500, True)),
        ("r2", r2_score, (MOST_TRIED, False)),
    ],
)
def test_of_regressors_the_largest_change_of_the_error_comes_first(
    name: str, compute: Any, found_of_all: tuple[int, bool]
) -> None:
    """A mean over the rows tells the effect of each; else the rows are tried that differ most."""
    target = DRAW.normal(size=500)
    values = [target + 0.1 * DRAW.normal(size=500) for _ in range(2)]
    values[1][7] += 50
    score = find_score(name, "regression", ())
    before, after = (Predictions(each, None) for each in values)
    found = deciding_rows(score, target, before, after)
    exchanged = values[1].copy()
    exchanged[7] = values[0][7]
    effect = compute(target, values[1]) - compute(target, exchanged)
    assert found.rows[0].row == 7
    assert found.rows[0].effect == pytest.approx(effect)
    assert (found.moving, found.all_tried) == found_of_all


def test_equal_models_have_none_and_rounding_is_no_effect() -> None:
    target = np.array([0, 1, 1, 0])
    share = np.array([0.1, 0.9, 0.8, 0.3])
    score = find_score("neg_log_loss", "classification", (0, 1))
    found = deciding_rows(score, target, *map(of_probabilities, (share, share + 1e-12)))
    assert (found.rows, found.moving) == ([], 0)


def test_scores_of_other_columns_have_none() -> None:
    target = np.array([0, 1, 2])
    wide = Predictions(target, np.eye(3), proper=False)
    narrow = Predictions(target, np.ones((3, 2)), proper=False)
    score = find_score("top_k_accuracy", "classification", (0, 1, 2))
    assert deciding_rows(score, target, wide, narrow).rows == []


def test_a_label_that_is_longer_than_those_of_the_other_model_is_put_back_whole() -> None:
    target = np.array(["a"] * 3 + ["bcd"] * 3)
    none = np.full((6, 2), 0.5)
    before, after = Predictions(target, none), Predictions(np.array(["a"] * 6), none)
    found = deciding_rows(
        Score("balanced_accuracy", "classification", ("a", "bcd"), "bcd"), target, before, after
    )
    assert [row.row for row in found.rows] == [3, 4, 5]
    assert [row.effect for row in found.rows] == pytest.approx([-1 / 6] * 3)
