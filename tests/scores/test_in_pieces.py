"""Scores of many rows, which are computed in pieces, against scikit-learn's of all rows at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onnxpress.runtime.predictions import Predictions
from onnxpress.scores import errors, score
from onnxpress.scores.errors import score_error
from onnxpress.scores.score import Score
from onnxpress.scores.scorers import fitting
from onnxpress.tables import mapped

ROWS = 800


def classes(number: int) -> tuple[Any, Predictions, Predictions]:
    """A target, and two models' labels and probabilities."""
    random = np.random.default_rng(0)
    target, *others = random.integers(0, number, (3, ROWS))
    one = np.where(random.random(ROWS) < 0.7, target, others[0])
    other = np.where(random.random(ROWS) < 0.9, one, others[1])
    chances = random.dirichlet(np.ones(number), (2, ROWS))
    return target, Predictions(one, chances[0]), Predictions(other, chances[1])


def numbers(targets: int) -> tuple[Any, Predictions, Predictions]:
    """A target above 0, and two models' predictions."""
    random = np.random.default_rng(0)
    target = random.gamma(2, size=(ROWS, targets)).squeeze()
    one, other = (target * random.uniform(0.8, 1.2, target.shape) for _ in range(2))
    return target, Predictions(one, None), Predictions(other, None)


OF_CLASSES = [
    ("classification", width, name)
    for width in (2, 8)
    for name in fitting("classification", width, proper=True, has_scores=True)
]
OF_NUMBERS = [
    ("regression", width, name)
    for width in (1, 3)
    for name in fitting("regression", 0, proper=True, has_scores=True, targets=width)
]


@pytest.mark.parametrize(("task", "width", "name"), [*OF_CLASSES, *OF_NUMBERS])
def test_pieces_have_the_score_of_all_rows(
    task: Any, width: int, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if task == "classification":
        target, one, _ = classes(width)
        found = Score(name, task, tuple(range(width)), 1 if width == 2 else None)
    else:
        target, one, _ = numbers(width)
        found = Score(name, task, targets=width)
    whole = found(target, one)
    for module in (mapped, score, errors):
        monkeypatch.setattr(module, "PIECE_ROWS", 90)
    assert found(target, one) == pytest.approx(whole, rel=1e-12, nan_ok=True)


@pytest.mark.parametrize(
    ("width", "name"), [(2, "f1"), (8, "f1_macro"), (8, "neg_log_loss"), (2, "average_precision")]
)
def test_pieces_have_the_standard_error_of_all_rows(
    width: int, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, one, other = classes(width)
    found = Score(name, "classification", tuple(range(width)), 1 if width == 2 else None)
    whole = score_error(found, target, one, other)
    for module in (mapped, score, errors):
        monkeypatch.setattr(module, "PIECE_ROWS", 90)
    assert score_error(found, target, one, other) == pytest.approx(whole, rel=1e-9)
