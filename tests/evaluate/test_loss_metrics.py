"""What the quantised model loses: values by scikit-learn, errors by brute force."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn import metrics

from onnxpress.evaluate.loss_metrics import count_rows, loss_metrics, losses_of
from onnxpress.evaluate.scoring import Scoring, WantedScores, find_scoring
from onnxpress.runtime.predictions import Predictions
from onnxpress.scores.calibration import calibration_error

CLASSES = np.array(["a", "b", "c"])


def classifier(scores: Any) -> Predictions:
    return Predictions(CLASSES[: scores.shape[1]][scores.argmax(axis=1)], scores)


def sample(rows: int, seed: int = 0, *, noise: float = 0.5) -> tuple[Any, Predictions, Predictions]:
    """A target of three classes, and probabilities of a model and of a noisier one."""
    random = np.random.default_rng(seed)
    codes = random.integers(0, 3, rows)
    before = random.random((rows, 3)) + np.eye(3)[codes]
    after = before + noise * random.random((rows, 3))
    pair = [classifier(each / each.sum(axis=1, keepdims=True)) for each in (before, after)]
    return CLASSES[codes], pair[0], pair[1]


def scoring_of(found: Predictions, wanted: WantedScores | None = None) -> Scoring:
    return find_scoring(wanted or WantedScores(), "classification", CLASSES, found)


def measured(
    target: Any, before: Predictions, after: Predictions, wanted: WantedScores | None = None
) -> dict[str, float]:
    return loss_metrics(losses_of(scoring_of(before, wanted), target, before, after, 0.0))


def test_losses_are_differences_of_what_scikit_learn_gives_both_models() -> None:
    target, before, after = sample(300)
    found = measured(target, before, after, WantedScores("f1_macro", ("roc_auc_ovr",)))
    labels, scores = (before.values, after.values), (before.scores, after.scores)
    f1 = [metrics.f1_score(target, each, average="macro") for each in labels]
    assert found["quantized_score_drop"] == pytest.approx(f1[0] - f1[1])
    assert found["quantized_f1_macro_drop"] == found["quantized_score_drop"]
    auc = [metrics.roc_auc_score(target, each, multi_class="ovr") for each in scores]
    assert found["quantized_roc_auc_ovr_drop"] == pytest.approx(auc[0] - auc[1])
    right = [metrics.accuracy_score(target, each) for each in labels]
    assert found["quantized_accuracy_drop"] == pytest.approx(right[0] - right[1])
    loss = [metrics.log_loss(target, each) for each in scores]
    assert found["quantized_log_loss_drop"] == pytest.approx(loss[1] - loss[0])
    brier = [metrics.brier_score_loss(target, each) for each in scores]
    assert found["quantized_brier_drop"] == pytest.approx(brier[1] - brier[0])
    recalls = [metrics.recall_score(target, each, average=None) for each in labels]
    assert found["quantized_recall_worst_loss"] == pytest.approx((recalls[0] - recalls[1]).max())


def test_the_bound_on_disagreement_is_that_of_clopper_and_pearson() -> None:
    target, before, after = sample(200)
    found = measured(target, before, after)
    differ = int((before.values != after.values).sum())
    assert found["quantized_disagreement"] == differ / 200
    one_sided = binomtest(differ, 200).proportion_ci(confidence_level=0.9, method="exact")
    assert found["quantized_disagreement_upper"] == pytest.approx(one_sided.high)


def test_the_error_of_the_loss_of_calibration_is_how_far_it_varies_between_samples() -> None:
    """200 samples of the same 400 rows and two models vary by about the error of one of them."""
    losses, errors = [], []
    for seed in range(200):
        target, before, after = sample(400, seed, noise=2.0)
        found = losses_of(scoring_of(before), target, before, after, 0.0)["calibration_error"]
        both = [calibration_error(target, each, tuple(CLASSES)) for each in (before, after)]
        assert found.value == pytest.approx(both[1] - both[0])
        losses.append(found.value)
        errors.append(found.error)
    assert float(np.mean(errors)) == pytest.approx(float(np.std(losses)), rel=0.2)


def test_equal_models_lose_nothing_and_the_error_of_that_is_zero() -> None:
    target, before, _ = sample(400)
    found = measured(target, before, before)
    of_losses = {key: value for key, value in found.items() if not key.endswith("_upper")}
    assert set(of_losses.values()) == {0.0}
    assert found["quantized_disagreement_upper"] == pytest.approx(1 - 0.05 ** (1 / 400))


def test_rows_that_decide_are_those_that_only_one_model_is_right_on() -> None:
    target = np.array(["a", "a", "b", "c", "b", "b"])
    before = Predictions(np.array(["a", "a", "b", "a", "a", "a"]), np.eye(3)[[0] * 6])
    after = Predictions(np.array(["b", "a", "c", "b", "b", "a"]), np.eye(3)[[0] * 6])
    counts = count_rows(scoring_of(before), target, before, after)
    assert (counts["quantized_rows_lost"], counts["quantized_rows_won"]) == (2, 1)
    assert counts["quantized_recall_classes"] == 0
    many = np.repeat(np.arange(6), 25)
    counts = count_rows(scoring_of(before), target[many], before.take(many), after.take(many))
    assert counts["quantized_recall_classes"] == 2  # a has 50 rows and b 75


def test_regressors_have_quantiles_of_the_difference_and_agree_within_the_tolerance() -> None:
    random = np.random.default_rng(0)
    target = random.normal(size=400)
    before = Predictions(target + random.normal(size=400), None)
    after = Predictions(before.values + random.normal(size=400) / 10, None)
    scoring = find_scoring(WantedScores(), "regression", (), before)
    found = loss_metrics(losses_of(scoring, target, before, after, 0.1))
    apart = np.sort(np.abs(after.values - before.values))
    for percent, place in ((50, 199), (95, 379), (99, 395)):
        near = found[f"quantized_max_abs_error_p{percent}"]
        assert apart[place] <= near <= apart[place + 1]
    assert found["quantized_disagreement"] == (apart > 0.1).mean()
    scores = [metrics.r2_score(target, each.values) for each in (before, after)]
    assert found["quantized_score_drop"] == pytest.approx(scores[0] - scores[1])
    assert not [key for key in found if "recall" in key or "log_loss" in key]
    assert count_rows(scoring, target, before, after) == {}


def test_models_without_probabilities_have_losses_of_labels_only() -> None:
    target, before, after = sample(60)
    plain = [Predictions(each.values, each.scores, proper=False) for each in (before, after)]
    found = measured(target, plain[0], plain[1])
    assert "quantized_score_drop" in found
    assert not [key for key in found if any(word in key for word in ("log_loss", "brier", "calib"))]


def test_one_row_has_no_standard_error() -> None:
    target, before, after = sample(1)
    found = measured(target, before, after)
    assert math.isnan(found["quantized_score_drop_se"])
    assert math.isnan(found["quantized_calibration_error_drop_se"])
