"""Losses and their standard errors, held against scikit-learn, formulas and the bootstrap."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import brier_score_loss, log_loss, recall_score

from onnxpress.runtime.predictions import Predictions
from onnxpress.scores.budgets import exceeded
from onnxpress.scores.errors import jackknife, score_error
from onnxpress.scores.losses import MIN_CLASS_ROWS, Loss, measured_losses, recalls
from onnxpress.scores.row_losses import row_losses
from onnxpress.scores.score import Score, as_classes, find_score, fitting_scores

Pair = tuple[NDArray[Any], Predictions, Predictions]


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def classified(rows: int, labels: list[Any], rate: float = 0.5, seed: int = 0) -> Pair:
    """A target, and two models of which the second knows less; the last class has ``rate``."""
    random = np.random.default_rng(seed)
    shares = np.full(len(labels), (1 - rate) / (len(labels) - 1))
    shares[-1] = rate
    codes = random.choice(len(labels), rows, p=shares)
    known = np.eye(len(labels))[codes] * 1.5 + random.normal(size=(rows, len(labels)))
    less = known + 0.6 * random.normal(size=known.shape)
    classes = np.array(labels)
    models = (softmax(logits) for logits in (known, less))
    before, after = (Predictions(classes[each.argmax(axis=1)], each) for each in models)
    return classes[codes], before, after


def numbers(rows: int, seed: int = 0) -> Pair:
    random = np.random.default_rng(seed)
    target = random.gamma(5, size=rows) + 0.1
    before = target * np.exp(0.2 * random.normal(size=rows))
    after = before * np.exp(0.1 * random.normal(size=rows))
    return target, Predictions(before, None), Predictions(after, None)


def score_of(name: str, target: NDArray[Any], labels: bool = True) -> Score:
    if labels:
        return find_score(name, "classification", as_classes(target))
    return find_score(name, "regression")


def bootstrapped(score: Score, pair: Pair, draws: int = 120) -> float:
    """The standard deviation of the difference of scores on rows drawn with replacement."""
    target, before, after = pair
    random = np.random.default_rng(1)
    values = []
    for _ in range(draws):
        drawn = random.integers(0, len(target), len(target))
        one = score(target[drawn], before.take(drawn))
        values.append(one - score(target[drawn], after.take(drawn)))
    return float(np.std(values, ddof=1))


@pytest.mark.parametrize("key", ["log_loss", "neg_log_loss", "brier", "neg_brier_score"])
@pytest.mark.parametrize(("by", "over"), [(3e-7, False), (1e-4, True)])
def test_probabilities_that_differ_by_rounding_lose_nothing(
    key: str, by: float, *, over: bool
) -> None:
    """Those of a lossless model may differ by 1e-6."""
    target = np.arange(100) % 2
    right = np.where(target == 1, 0.6, 0.4)
    less = np.where(target == 1, right - by, right + by)
    before, after = (
        Predictions(target, np.column_stack([1 - second, second])) for second in (right, less)
    )
    score = find_score(None, "classification", (0, 1))
    loss = measured_losses([key], score, target, before, after)[key]
    assert loss.value > 1e-8
    assert exceeded(loss, 0.0) is over


# --- standard errors ------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [2, 39, 40, 41, 500])
def test_the_error_of_accuracy_is_that_of_a_mean_of_paired_differences(rows: int) -> None:
    """Of n rows of which b got worse and c better: sqrt((b + c - (b - c)² / n) / (n (n - 1)))."""
    target, before, after = classified(rows, ["a", "b"])
    right = before.values == target, after.values == target
    worse, better = (right[0] & ~right[1]).sum(), (right[1] & ~right[0]).sum()
    expected = math.sqrt((worse + better - (worse - better) ** 2 / rows) / (rows * (rows - 1)))
    found = measured_losses(
        ["score"], score_of("accuracy", np.array(["a", "b"])), target, before, after
    )["score"]
    assert found.value == pytest.approx((worse - better) / rows)
    assert found.error == pytest.approx(expected)
    assert found.rows == rows


ALL = [
    *((name, 2) for name in fitting_scores("classification", 2)),
    *((name, 3) for name in fitting_scores("classification", 3)),
    *((name, 0) for name in fitting_scores("regression", 0) if name != "neg_max_error"),
]


@pytest.mark.parametrize(("name", "n_classes"), ALL)
def test_the_error_of_every_score_is_near_the_bootstraps(name: str, n_classes: int) -> None:
    """The jackknife of 40 groups has itself a relative error of about 1 / sqrt(78)."""
    rows = 400
    pair = classified(rows, ["a", "b", "c"][:n_classes], 0.3) if n_classes else numbers(rows)
    score = score_of(name, pair[0], n_classes > 0)
    found = score_error(score, *pair)
    assert found == pytest.approx(bootstrapped(score, pair), rel=0.4)


@pytest.mark.parametrize("name", ["accuracy", "f1_macro", "roc_auc_ovr", "neg_log_loss", "r2"])
def test_two_equal_models_differ_by_nothing(name: str) -> None:
    labels = name != "r2"
    target, before, _ = classified(200, ["a", "b", "c"]) if labels else numbers(200)
    score = score_of(name, target, labels)
    found = measured_losses(["score"], score, target, before, before)["score"]
    assert found.value == 0
    assert found.error == pytest.approx(0, abs=1e-12)


def test_cells_give_what_leaving_out_every_row_gives() -> None:
    """Efron and Tibshirani's formula, computed row by row with scikit-learn."""
    target, before, after = classified(60, ["a", "b"], 0.3)
    score = score_of("f1", target)

    def difference(kept: NDArray[np.bool_]) -> float:
        return score(target[kept], before.take(kept)) - score(target[kept], after.take(kept))

    rows = np.arange(len(target))
    without = np.array([difference(rows != row) for row in rows])
    expected = math.sqrt(len(rows) - 1) * float(np.std(without))
    assert score_error(score, target, before, after) == pytest.approx(expected)


def test_the_jackknife_of_a_mean_is_its_standard_error_with_groups_of_any_size() -> None:
    """With groups of one row it is exact; with unequal ones Busing's weights make it unbiased."""
    values = np.random.default_rng(0).normal(size=41)
    without = (values.sum() - values) / 40
    exact = values.std(ddof=1) / math.sqrt(41)
    assert jackknife(values.mean(), without, np.ones(41)) == pytest.approx(exact)
    random, squares = np.random.default_rng(1), []
    groups = np.arange(41) % 40
    for _ in range(400):
        values = random.normal(size=41)
        left = np.array([values[groups != group].mean() for group in range(40)])
        squares.append(jackknife(values.mean(), left, np.bincount(groups)) ** 2)
    assert np.mean(squares) == pytest.approx(1 / 41, rel=0.05)


def test_alike_groups_count_as_often_as_there_are() -> None:
    values = np.repeat([1.0, 2.0, 5.0], [4, 3, 2])
    without = (values.sum() - np.array([1.0, 2.0, 5.0])) / 8
    times = np.array([4, 3, 2])
    found = jackknife(values.mean(), without, np.ones(3), times)
    assert found == pytest.approx(values.std(ddof=1) / 3)


def test_an_error_that_cannot_be_told_is_nan() -> None:
    target, before, after = classified(30, ["a", "b"])
    target[:] = "a"
    target[0] = "b"  # without this row there is no area under the curve
    found = measured_losses(["roc_auc"], score_of("accuracy", target), target, before, after)
    assert math.isfinite(found["roc_auc"].value)
    assert math.isnan(found["roc_auc"].error)
    largest = measured_losses(["max_abs_error"], Score("r2", "regression"), *numbers(30))
    assert math.isnan(largest["max_abs_error"].error)


@pytest.mark.parametrize("name", fitting_scores("regression", 0))
def test_the_parts_of_a_mean_over_rows_have_scikit_learns_mean(name: str) -> None:
    target, before, _ = numbers(50)
    score = score_of(name, target, labels=False)
    parts = row_losses(score, target, before)
    if parts is not None:
        assert -parts.mean() == pytest.approx(score(target, before))


def test_a_poisson_deviance_takes_a_target_of_zero() -> None:
    score = find_score("neg_mean_poisson_deviance", "regression")
    target, given = np.array([0.0, 2.0]), Predictions(np.array([0.5, 1.0]), None)
    parts = row_losses(score, target, given)
    assert parts is not None
    assert -parts.mean() == pytest.approx(score(target, given))


def test_many_rows_give_the_error_of_a_sample_scaled(monkeypatch: pytest.MonkeyPatch) -> None:
    target, before, after = classified(8000, ["a", "b"], 0.2)
    score = score_of("roc_auc", target)
    whole = score_error(score, target, before, after)
    monkeypatch.setattr("onnxpress.scores.errors.MOST_SCORES", 4000)
    assert score_error(score, target, before, after) == pytest.approx(whole, rel=0.35)


# --- each key -------------------------------------------------------------------------------------


@pytest.mark.parametrize("labels", [["a", "b"], [3, 5, 9]])
def test_log_loss_and_brier_grow_with_what_is_lost(labels: list[Any]) -> None:
    target, before, after = classified(300, labels)
    score = score_of("accuracy", target)
    found = measured_losses(["log_loss", "brier"], score, target, before, after)
    losses = [log_loss(target, each.scores, labels=labels) for each in (before, after)]
    assert found["log_loss"].value == pytest.approx(losses[1] - losses[0])
    assert found["log_loss"].value > 0
    names: Any = {"labels": labels} if len(labels) > 2 else {"pos_label": labels[1]}
    columns = [
        each.scores if len(labels) > 2 else each.scores[:, 1]
        for each in (before, after)
        if each.scores is not None
    ]
    briers = [brier_score_loss(target, column, **names) for column in columns]
    assert found["brier"].value == pytest.approx(briers[1] - briers[0])


def test_log_loss_is_defined_where_a_class_has_no_row() -> None:
    target, before, after = classified(60, ["a", "b", "c"])
    kept = target != "c"
    score = score_of("neg_log_loss", target)
    target, before, after = target[kept], before.take(kept), after.take(kept)
    found = measured_losses(["log_loss"], score, target, before, after)["log_loss"]
    expected = log_loss(target, after.scores, labels=["a", "b", "c"])
    expected -= log_loss(target, before.scores, labels=["a", "b", "c"])
    assert found.value == pytest.approx(expected)
    assert found.error > 0


def test_recall_of_the_class_that_lost_most() -> None:
    target = np.repeat(["a", "b", "c"], [100, 50, 5])
    before, after = (Predictions(target.copy(), None) for _ in range(2))
    after.values[100:110] = "a"  # 10 of 50 "b"
    after.values[:10] = "b"  # 10 of 100 "a"
    after.values[150:152] = "a"  # 2 of 5 "c", too few to tell
    (found,) = measured_losses(
        ["recall_worst_loss"], score_of("accuracy", target), target, before, after
    ).values()
    both = [
        recall_score(target, each.values, labels=["b"], average="macro") for each in (before, after)
    ]
    assert found.value == pytest.approx(both[0] - both[1]) == pytest.approx(0.2)
    assert found.error == pytest.approx(math.sqrt(0.2 * 0.8 / 49))
    assert (found.rows, found.rare_lost) == (50, 2)
    assert found.about == (f"class 'b'; fewer than {MIN_CLASS_ROWS} rows, too few to tell: 'c' (5)")


def test_a_gain_of_recall_is_negative_and_net() -> None:
    target = np.repeat([1, 2], [80, 80])
    before, after = (Predictions(target.copy(), None) for _ in range(2))
    before.values[:8], after.values[8:12] = 2, 2
    before.values[80:88] = 1
    (found,) = measured_losses(
        ["recall_worst_loss"], score_of("accuracy", target), target, before, after
    ).values()
    assert found.value == pytest.approx(-0.05)
    assert found.about == "class 1"


@pytest.mark.parametrize(("rows", "lost", "counted"), [(19, 1, 1), (20, 1, 0), (20, 2, 1)])
def test_one_row_of_twenty_is_chance_and_one_of_fewer_is_not(
    rows: int, lost: int, counted: int
) -> None:
    target = np.repeat([1, 2], [90, rows])
    before, after = (Predictions(target.copy(), None) for _ in range(2))
    after.values[90 : 90 + lost] = 1
    (found,) = measured_losses(
        ["recall_worst_loss"], score_of("accuracy", target), target, before, after
    ).values()
    assert found.rare_lost == counted


def test_of_many_classes_with_few_rows_four_are_named() -> None:
    target, before, after = classified(90, list("abcdefg"))
    (found,) = measured_losses(
        ["recall_worst_loss"], score_of("accuracy", target), target, before, after
    ).values()
    assert found.about.count("(") == 4
    assert found.about.endswith(" and 3 more")


def test_recall_cannot_be_told_where_every_class_is_small() -> None:
    target, before, after = classified(MIN_CLASS_ROWS - 1, ["a", "b"])
    (found,) = measured_losses(
        ["recall_worst_loss"], score_of("accuracy", target), target, before, after
    ).values()
    assert math.isnan(found.value)
    assert found.rows == 0


def test_recalls_by_class() -> None:
    found = recalls(np.array([1, 1, 2]), np.array([1, 2, 2]), (1, 2, 7))
    assert (found[1], found[2]) == (0.5, 1)
    assert math.isnan(found[7])


def test_disagreement_has_its_bound() -> None:
    target, before, after = classified(299, ["a", "b"])
    score = score_of("accuracy", target)
    same = measured_losses(["disagreement"], score, target, before, before)["disagreement"]
    assert (same.value, same.error) == (0, 0)
    assert same.upper == pytest.approx(0.01, rel=0.01)
    found = measured_losses(["disagreement"], score, target, before, after)["disagreement"]
    share = float(np.mean(before.values != after.values))
    assert found.value == share
    assert found.error == pytest.approx(math.sqrt(share * (1 - share) / 298))
    assert found.upper is not None
    assert found.upper > share


def test_numbers_disagree_beyond_the_tolerance() -> None:
    before = Predictions(np.array([1.0, 2.0, np.nan, np.inf, 5.0, 6.0]), None)
    after = Predictions(np.array([1.1, 2.3, np.nan, np.inf, np.nan, 6.0]), None)
    keys = ["disagreement", "within_tolerance"]
    found = measured_losses(
        keys, Score("r2", "regression"), np.arange(6.0), before, after, limit=0.2
    )
    assert [each.value for each in found.values()] == [2 / 6, 2 / 6]


def test_distances_and_their_quantiles() -> None:
    target, before, after = numbers(1000)
    keys = ["max_abs_error", "max_abs_error_p95", "max_abs_error_p50"]
    found = measured_losses(keys, Score("r2", "regression"), target, before, after)
    distances = np.abs(before.values - after.values)
    assert found["max_abs_error"].value == distances.max()
    assert np.mean(distances <= found["max_abs_error_p95"].value) == pytest.approx(0.95, abs=2e-3)
    random = np.random.default_rng(0)
    drawn = [np.quantile(random.choice(distances, 1000), 0.5) for _ in range(500)]
    assert found["max_abs_error_p50"].error == pytest.approx(np.std(drawn), rel=0.3)


def test_a_number_that_is_lost_is_infinitely_far_off() -> None:
    before, after = (Predictions(np.array(each), None) for each in ([1.0, np.nan], [np.nan, 2.0]))
    (found,) = measured_losses(
        ["max_abs_error"], Score("r2", "regression"), np.ones(2), before, after
    ).values()
    assert found.value == math.inf


def test_a_model_that_lacks_probabilities_has_no_loss_of_them() -> None:
    target, before, after = classified(50, ["a", "b"])
    bare = Predictions(after.values, None)
    found = measured_losses(["log_loss"], score_of("accuracy", target), target, before, bare)
    assert math.isnan(found["log_loss"].value)
    assert isinstance(found["log_loss"], Loss)


def test_a_zero_of_the_original_costs_what_it_costs_as_float32() -> None:
    features, target = make_classification(400, flip_y=0.3, random_state=0)
    forest = RandomForestClassifier(5, random_state=0).fit(features[:200], target[:200])
    original = forest.predict_proba(features[200:])
    assert (original == 0).any()
    rounded = np.where(original == 0, 1e-7, original)  # as float32 sums have it
    score = find_score("neg_log_loss", "classification", (0, 1))
    before, after = (Predictions(original.argmax(1), each) for each in (original, rounded))
    expected = -log_loss(target[200:], original.astype(np.float32))
    assert score(target[200:], before) == pytest.approx(expected, rel=1e-5)
    loss = measured_losses(["log_loss"], score, target[200:], before, after)["log_loss"]
    assert loss.value == pytest.approx(0, abs=1e-5)
