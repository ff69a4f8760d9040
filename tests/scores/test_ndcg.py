"""NDCG against scikit-learn's own, group by group."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import ndcg_score

from onnxpress.errors import UserError
from onnxpress.limits import about_unknown, is_scorer, ndcg_depth
from onnxpress.runtime.predictions import Predictions
from onnxpress.scores.budgets import check_limits
from onnxpress.scores.errors import score_error
from onnxpress.scores.losses import measured_losses
from onnxpress.scores.ndcg import ndcg_of_groups
from onnxpress.scores.score import check_rows, chosen_name, find_score

DEPTHS = {"ndcg": None, "ndcg_at_1": 1, "ndcg_at_3": 3, "ndcg_at_100": 100}


def by_scikit_learn(
    target: NDArray[Any], values: NDArray[Any], groups: NDArray[Any], depth: int | None
) -> list[float]:
    """The score of each group that counts: two rows or more, and one of them relevant."""
    found = []
    for group in np.unique(groups):
        own = groups == group
        if own.sum() > 1 and target[own].any():
            found.append(float(ndcg_score([target[own]], [values[own]], k=depth)))
    return found


@st.composite
def ranked(draw: st.DrawFn) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Relevance, predictions with ties, and groups of any sizes in any order."""
    size = draw(st.integers(2, 40))
    whole = st.lists(st.integers(0, 4), min_size=size, max_size=size)
    columns = [np.array(draw(whole)) for _ in range(3)]
    return columns[0].astype(float), columns[1] / 3 - 0.5, columns[2] * 7 - 3


@pytest.mark.parametrize("name", DEPTHS)
@given(rows=ranked())
def test_it_is_the_mean_of_scikit_learns(
    name: str, rows: tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
) -> None:
    target, values, groups = rows
    expected = by_scikit_learn(target, values, groups, DEPTHS[name])
    score = find_score(name, "regression", groups=groups)
    found = score(target, Predictions(values, None))
    if not expected:
        assert math.isnan(found)
        assert score.undefined(target) == "no group has two rows and one of a target above 0"
    else:
        assert found == pytest.approx(np.mean(expected), abs=1e-12)
    of_groups = ndcg_of_groups(target, values, groups, DEPTHS[name])
    assert len(of_groups) == len(np.unique(groups))
    assert of_groups[~np.isnan(of_groups)].tolist() == pytest.approx(expected, abs=1e-12)


def rows_of(groups: int) -> tuple[NDArray[Any], Predictions, Predictions, NDArray[Any]]:
    """Rows in groups of 2 to 9, and predictions of two models for them."""
    random = np.random.default_rng(groups)
    number = np.repeat(np.arange(groups), random.integers(2, 10, groups))
    target = random.integers(0, 4, len(number)).astype(float)
    values = target + random.normal(size=len(number))
    other = values + 0.7 * random.normal(size=len(number))
    return target, Predictions(values, None), Predictions(other, None), number


def test_the_standard_error_is_that_of_the_mean_over_groups() -> None:
    target, before, after, groups = rows_of(200)
    pair = [by_scikit_learn(target, each.values, groups, None) for each in (before, after)]
    lost = np.array(pair[0]) - np.array(pair[1])
    score = find_score("ndcg", "regression", groups=groups)
    loss = measured_losses(["score"], score, target, before, after)["score"]
    assert loss.value == pytest.approx(lost.mean(), abs=1e-12)
    assert loss.error == pytest.approx(lost.std(ddof=1) / math.sqrt(len(lost)), rel=1e-9)


def test_other_scores_leave_out_whole_groups() -> None:
    """A row that is there ten times tells no more than once; its copies are one group."""
    random = np.random.default_rng(0)
    target = random.normal(size=300)
    before, after = (target + scale * random.normal(size=300) for scale in (0.5, 1.0))
    copies = [np.repeat(each, 10) for each in (target, before, after)]
    groups = np.repeat(np.arange(300), 10)
    name = "neg_mean_squared_error"
    pair = Predictions(before, None), Predictions(after, None)
    once = score_error(find_score(name, "regression"), target, *pair)
    pair = Predictions(copies[1], None), Predictions(copies[2], None)
    grouped = score_error(find_score(name, "regression", groups=groups), copies[0], *pair)
    alone = score_error(find_score(name, "regression"), copies[0], *pair)
    assert grouped == pytest.approx(once, rel=0.3)
    assert alone < 0.4 * once


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_prediction_that_is_not_finite_leaves_it_undefined(bad: float) -> None:
    target, before, _, groups = rows_of(5)
    before.values[3] = bad
    assert math.isnan(find_score("ndcg", "regression", groups=groups)(target, before))


def test_it_needs_groups_of_one_target_of_numbers() -> None:
    groups = np.array([0, 0, 1])
    for task, more, line in (
        ("regression", {}, r"'ndcg' compares rows of one group.*in no groups.*\(`group`\)"),
        ("classification", {"groups": groups}, "is for regression, and the target has classes"),
        ("regression", {"groups": groups, "targets": 2}, "is for one target"),
    ):
        with pytest.raises(UserError, match=line):
            find_score("ndcg", task, (0, 1), key="evaluate.score", **more)  # type: ignore[arg-type]
    score = find_score(None, "regression")
    with pytest.raises(UserError, match=r"max_drop: 'ndcg_at_5' compares rows of one group"):
        check_limits({"ndcg_at_5": 0.1}, score)
    assert check_limits({"ndcg_at_5": 0.1}, score.on(groups)) == {"ndcg_at_5": 0.1}


@pytest.mark.parametrize(
    ("target", "groups", "line"),
    [
        ([1, 0, 2], [0, 1, 2], "no group has two rows"),
        ([0, 0, 0], [0, 0, 1], "no group has two rows and one of a target above 0"),
        ([1, -1, 0], [0, 0, 0], "a target is -1, and a relevance is 0 or more"),
    ],
)
def test_rows_without_a_score_say_why(target: list[float], groups: list[int], line: str) -> None:
    score = find_score("ndcg", "regression", groups=np.array(groups))
    with pytest.raises(UserError, match=rf"'ndcg' is undefined on these rows: {line}"):
        check_rows(score, np.array(target, float))


def test_names() -> None:
    assert [ndcg_depth(name) for name in DEPTHS] == list(DEPTHS.values())
    assert not any(map(is_scorer, ["ndcg_at_0", "ndcg_at_", "ndcg@10", "ndcg_at_1.5", "ndcgs"]))
    assert about_unknown("ndcg@10") == "did you mean 'ndcg_at_10'?"
    assert about_unknown("NDCG") == "did you mean 'ndcg'?"


def test_it_is_the_score_of_rankers_alone() -> None:
    groups = np.array([0, 0])
    assert chosen_name(None, ranks=True, groups=groups) == "ndcg"
    assert chosen_name("r2", ranks=True, groups=groups) == "r2"
    assert chosen_name(None, ranks=True, groups=None) is None
    assert chosen_name(None, ranks=False, groups=groups) is None
