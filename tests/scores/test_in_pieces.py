"""Scores of many rows, which are computed in pieces, against scikit-learn's of all rows at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnxpress.limits import NDCG
from onnxpress.runtime.predictions import Predictions
from onnxpress.scores import ndcg, score
from onnxpress.scores.errors import score_error
from onnxpress.scores.score import Score
from onnxpress.scores.scorers import MEANS_OVER_ROWS, SHARES_OF_ROWS, fitting
from onnxpress.tables import mapped
from onnxpress.tables.mapped import arrays_in

ROWS = 800
IN_OTHER_ORDER = (MEANS_OVER_ROWS | {"r2"}) - SHARES_OF_ROWS
"""Scores whose sums are added up piece by piece; the others are the same to the last bit."""


def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (mapped, score, ndcg):
        monkeypatch.setattr(module, "PIECE_ROWS", 90)


def classes(number: int, *, ties: bool = False) -> tuple[Any, Predictions, Predictions]:
    """A target, and two models' labels and probabilities, of which few are different if wanted."""
    random = np.random.default_rng(0)
    target, *others = random.integers(0, number, (3, ROWS))
    one = np.where(random.random(ROWS) < 0.7, target, others[0])
    other = np.where(random.random(ROWS) < 0.9, one, others[1])
    chances = random.dirichlet(np.ones(number), (2, ROWS))
    if ties:
        chances = random.multinomial(10, chances) / 10
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
    for name in (
        "neg_mean_pinball_loss_p90",
        *fitting("regression", 0, proper=True, has_scores=True, targets=width),
    )
]


def of_classes(name: str, width: int) -> Score:
    return Score(name, "classification", tuple(range(width)), 1 if width == 2 else None)


def check_pieces(
    found: Score,
    target: Any,
    predictions: Predictions,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Compare the score of pieces, on the disk, with what it is of all rows at once."""
    whole = found(target, predictions)
    small_pieces(monkeypatch)
    with arrays_in(folder):
        pieces = found(target, predictions)
    if found.name in IN_OTHER_ORDER:
        assert pieces == pytest.approx(whole, rel=1e-12)
    else:
        assert pieces == whole


@pytest.mark.parametrize(("task", "width", "name"), [*OF_CLASSES, *OF_NUMBERS])
def test_pieces_have_the_score_of_all_rows(
    task: Any, width: int, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if task == "classification":
        target, one, _ = classes(width)
        check_pieces(of_classes(name, width), target, one, tmp_path, monkeypatch)
    else:
        target, one, _ = numbers(width)
        check_pieces(Score(name, task, targets=width), target, one, tmp_path, monkeypatch)


RANKS = [each for each in OF_CLASSES if each[2].startswith(("average", "roc", "top", "d2"))]


@pytest.mark.parametrize(("width", "name"), [each[1:] for each in RANKS])
def test_rows_of_the_same_probability_share_their_rank(
    width: int, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, one, _ = classes(width, ties=True)
    check_pieces(of_classes(name, width), target, one, tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("width", "name"),
    [(2, "roc_auc"), (2, "average_precision"), (3, "average_precision"), (3, "top_k_accuracy")],
)
def test_decision_scores_rank_as_probabilities_do(
    width: int, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, one, other = classes(width)
    assert one.scores is not None
    assert other.scores is not None
    ranks = replace(one, scores=np.log(one.scores / other.scores).round(1), proper=False)
    check_pieces(of_classes(name, width), target, ranks, tmp_path, monkeypatch)


def test_a_label_that_the_model_does_not_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, one, _ = classes(2)
    check_pieces(of_classes("roc_auc", 2), target * 2, one, tmp_path, monkeypatch)


@pytest.mark.parametrize("name", ["roc_auc", "neg_root_mean_squared_error"])
def test_what_is_not_finite_has_no_score(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    small_pieces(monkeypatch)
    if name == "roc_auc":
        target, one, _ = classes(2)
        assert one.scores is not None
        one.scores[-1, 0] = np.inf
        one = replace(one, proper=False)
        found = of_classes(name, 2)
    else:
        target, one, _ = numbers(1)
        one.values[-1] = np.inf
        found = Score(name, "regression")
    assert np.isnan(found(target, one))


@pytest.mark.parametrize("groups", [7, 200])
@pytest.mark.parametrize("name", ["ndcg", "ndcg_at_3"])
def test_pieces_of_whole_groups_have_the_ndcg_of_all(
    groups: int, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of seven groups each has more rows than a piece."""
    random = np.random.default_rng(0)
    target = random.integers(0, 4, ROWS).astype(np.float64)
    values = Predictions(random.normal(size=ROWS).round(1), None)
    found = Score(name, "regression", groups=random.integers(0, groups, ROWS) * 10)
    check_pieces(found, target, values, tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("width", "name"), [(2, "f1"), (8, "f1_macro"), (8, "neg_log_loss"), (2, "average_precision")]
)
def test_pieces_have_the_standard_error_of_all_rows(
    width: int, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, one, other = classes(width)
    found = of_classes(name, width)
    whole = score_error(found, target, one, other)
    small_pieces(monkeypatch)
    assert score_error(found, target, one, other) == pytest.approx(whole, rel=1e-9)


@pytest.mark.parametrize("name", ["accuracy", "roc_auc", NDCG])
def test_rows_in_groups_have_the_standard_error_of_all_rows(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = np.random.default_rng(1).integers(0, 120, ROWS) * 10
    if name == NDCG:
        target, one, other = numbers(1)
        found = Score(name, "regression", groups=groups)
    else:
        target, one, other = classes(2)
        found = replace(of_classes(name, 2), groups=groups)
    whole = score_error(found, target, one, other)
    small_pieces(monkeypatch)
    with arrays_in(tmp_path):
        assert score_error(found, target, one, other) == whole > 0
