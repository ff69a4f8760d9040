"""ONNX scores are the original's within 1e-5, also for estimators that skl2onnx gets wrong."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import (
    LinearRegression,
    Perceptron,
    RidgeClassifier,
    RidgeClassifierCV,
    SGDClassifier,
)
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC, NuSVC
from sklearn.tree import DecisionTreeRegressor

from bench.scores import __main__ as scores
from onnxpress.conversion.converting import to_onnx
from onnxpress.conversion.rehearsal import differences
from onnxpress.estimators.predicting import predict_original
from onnxpress.evaluate.original_rounding import has_steps
from onnxpress.evaluate.relative_differences import TOLERANCE, other_labels, relative_differences
from onnxpress.evaluate.score_differences import score_differences
from onnxpress.graph.canonical import to_bytes
from onnxpress.runtime.predictions import Predictions
from onnxpress.runtime.sessions import open_session, predict_onnx
from tests.conftest import numeric_schema

SCALES = np.array([1e5, 1e-3, 1, 300, 20])
OFFSETS = np.array([3, 0, 50, 1, -2])


def rows_of(
    *, classes: int = 2, text: bool = False, bad: bool = False
) -> tuple[NDArray[np.float32], NDArray[Any]]:
    random = np.random.default_rng(0)
    plain = random.normal(size=(400, 5))
    signal = plain @ [1, -0.7, 0, 0.5, 0] + random.normal(0, 0.5, 400)
    target = np.digitize(signal, [0] if classes == 2 else [-0.5, 0.5])
    x = ((plain + OFFSETS) * SCALES if bad else plain).astype(np.float32)
    return x, np.array(["no", "perhaps", "yes"])[target] if text else target


def predicted_by_onnx(
    estimator: Any, x: NDArray[np.float32], y: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Label and scores of ONNX for all rows; the estimator is fitted to every other one."""
    estimator.fit(x[::2], y[::2])
    model = to_onnx(estimator, numeric_schema(x.shape[1]), 12)
    outputs = open_session(to_bytes(model)).run(None, {"X": x})
    return outputs[0], outputs[1]


def assert_close(found: NDArray[Any], expected: NDArray[Any]) -> None:
    same = np.isnan(found) & np.isnan(expected)
    apart = np.abs(found - expected) / np.maximum(1, np.abs(expected))
    np.testing.assert_array_less(np.where(same, 0, apart), TOLERANCE)


# --- one meaning of scores -----------------------------------------------------------------------

WITHOUT_PROBABILITIES = [
    LinearSVC(random_state=0),
    NuSVC(),
    Perceptron(random_state=0),
    RidgeClassifier(),
    RidgeClassifierCV(),
    SGDClassifier(random_state=0),
    SVC(),
    SVC(kernel="linear"),
    SVC(decision_function_shape="ovo"),
]


@pytest.mark.parametrize("text", [False, True], ids=["ints", "strings"])
@pytest.mark.parametrize("estimator", WITHOUT_PROBABILITIES, ids=str)
def test_two_classes_have_the_scores_minus_d_and_d(estimator: Any, text: bool) -> None:
    x, y = rows_of(text=text)
    for whole in (estimator, make_pipeline(StandardScaler(), estimator)):
        label, found = predicted_by_onnx(whole, x, y)
        decided = whole.decision_function(x)
        assert_close(found, np.column_stack([-decided, decided]))
        assert (whole.classes_[found.argmax(axis=1)] == label).all()


@pytest.mark.parametrize("estimator", WITHOUT_PROBABILITIES[:-1], ids=str)
def test_three_classes_have_a_score_each(estimator: Any) -> None:
    x, y = rows_of(classes=3, text=True)
    label, found = predicted_by_onnx(estimator, x, y)
    assert_close(found, estimator.decision_function(x))
    assert (label == estimator.predict(x)).all()


# --- linear discriminants ------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("bad", [False, True], ids=["plain", "bad scales"])
@pytest.mark.parametrize(
    "options",
    [{}, {"solver": "lsqr", "shrinkage": "auto"}, {"solver": "eigen"}, {"n_components": 1}],
    ids=str,
)
def test_linear_discriminants_have_scikit_learns_probabilities(
    options: dict[str, Any], bad: bool, classes: int
) -> None:
    x, y = rows_of(classes=classes, text=True, bad=bad)
    estimator = LinearDiscriminantAnalysis(**options)
    label, found = predicted_by_onnx(estimator, x, y)
    assert_close(found, estimator.predict_proba(x))
    assert (label == estimator.predict(x)).all()


# --- gradient descent: labels by decisions where probabilities are equal -------------------------


@pytest.mark.parametrize("loss", ["modified_huber", "log_loss"])
@pytest.mark.parametrize("bad", [False, True], ids=["plain", "bad scales"])
@pytest.mark.parametrize("classes", [2, 3])
def test_labels_follow_decisions_also_where_probabilities_are_equal(
    loss: str, bad: bool, classes: int
) -> None:
    x, y = rows_of(classes=classes, bad=bad)
    estimator = SGDClassifier(loss=loss, random_state=0)
    label, found = predicted_by_onnx(estimator, x, y)
    expected = estimator.predict_proba(x)
    if loss == "modified_huber" and classes == 3:
        top = np.sort(expected, axis=1)
        assert (top[:, -1] == top[:, -2]).any()  # or this would show nothing
    assert (label == estimator.predict(x)).all()
    assert_close(found, expected)


@pytest.mark.parametrize("size", [1, 10, 80, 95, 500, 800])
def test_decisions_far_below_zero_share_out_what_scikit_learn_gives(size: float) -> None:
    x, y = rows_of(classes=3)
    estimator = SGDClassifier(loss="log_loss", random_state=0).fit(x[::2], y[::2])
    estimator.intercept_ = (estimator.intercept_ - size).astype(estimator.intercept_.dtype)
    model = open_session(to_bytes(to_onnx(estimator, numeric_schema(5), 12)))
    assert_close(model.run(None, {"X": x})[1], estimator.predict_proba(x))


# --- float64 where float32 rounds too much -------------------------------------------------------


def test_neighbours_halfway_between_stored_rows_are_those_of_scikit_learn() -> None:
    x, y = rows_of(classes=3)
    random = np.random.default_rng(1)
    one, other = random.integers(0, 200, (2, 300)) * 2
    halfway = (x[one] + x[other]) / np.float32(2)
    for estimator in (
        KNeighborsClassifier(),
        KNeighborsClassifier(weights="distance"),
        KNeighborsClassifier(metric="manhattan"),
    ):
        _, found = predicted_by_onnx(
            estimator, np.vstack([x, halfway]), np.concatenate([y, np.resize(y, 300)])
        )
        assert_close(found, estimator.predict_proba(np.vstack([x, halfway])))


def test_a_gaussian_process_and_counts_of_words_keep_five_digits() -> None:
    x, y = rows_of()
    process = GaussianProcessRegressor(alpha=0.1).fit(x[::2], x[::2, 0] ** 2)
    model = to_onnx(process, numeric_schema(5, "regression"), 12)
    (found,) = open_session(to_bytes(model)).run(None, {"X": x})
    assert_close(found[:, 0], process.predict(x))
    counts = np.random.default_rng(0).poisson(300, (400, 5)).astype(np.float32)
    bayes = MultinomialNB()
    assert_close(predicted_by_onnx(bayes, counts, y)[1], bayes.predict_proba(counts))


# --- how predictions are compared ----------------------------------------------------------------


def test_differences_are_relative_above_one_and_absolute_below() -> None:
    one = np.array([[0.5, 0], [1000.0, 0], [np.inf, 0], [np.nan, 0], [1.0, 0], [2.0, 0]])
    other = np.array([[0.6, 0], [1001.0, 0], [np.inf, 0], [np.nan, 0], [np.nan, 0], [np.inf, 0]])
    np.testing.assert_allclose(
        relative_differences(one, other), [0.1, 0.001, 0, 0, np.inf, np.inf], rtol=1e-9
    )
    assert np.isinf(relative_differences(one, np.hstack([one, one]))).all()


def test_predictions_are_relative_to_their_spread_which_a_few_far_off_do_not_change() -> None:
    one = np.linspace(-1000, 1000, 101).reshape(-1, 1)  # 680 at the quantile 0.84
    one[[0, 1, -1], 0] = np.inf, np.nan, 1e30
    other = one.copy()
    other[50] += 0.68  # it is 0
    found = relative_differences(one, other)
    assert found[50] == pytest.approx(0.001, rel=0.05)
    assert np.delete(found, 50).max() == 0


@pytest.mark.parametrize("scale", [1.0, 1e4, 1e8])
def test_trees_of_a_target_around_0_differ_by_rounding_at_any_scale(scale: float) -> None:
    """Sums of leaves cancel: relative to a prediction near 0, any rounding is large."""
    x, _ = rows_of()
    boosting = HistGradientBoostingRegressor(max_iter=60, min_samples_leaf=5, random_state=0)
    boosting.fit(x, scale * (x[:, 0] - x[:, 1] * x[:, 2]))
    found = differences(boosting, {"X": x}, numeric_schema(5, "regression"))
    assert found.largest < TOLERANCE / 3


def test_another_label_counts_unless_the_two_greatest_scores_are_equal() -> None:
    scores_of_rows = np.array([[0.5, 0.5 - 1e-7, 0], [0.6, 0.4, 0], [0, 0.5, 0.5]])
    original, answer = (
        Predictions(np.array([0, 0, 1]), scores_of_rows),
        Predictions(np.array([1, 1, 1]), scores_of_rows),
    )
    assert other_labels(original, answer).tolist() == [False, True, False]


def test_a_label_that_follows_equal_probabilities_and_not_the_decisions_is_wrong() -> None:
    x, y = rows_of(classes=3)
    estimator = SGDClassifier(loss="modified_huber", random_state=0).fit(x, y)
    original = predict_original(estimator, {"X": x}, numeric_schema(5))
    assert original.scores is not None
    by_probability = Predictions(original.scores.argmax(axis=1), original.scores)
    found = score_differences(estimator, {"X": x}, numeric_schema(5), original, by_probability)
    assert found.labels == (by_probability.values != original.values).sum() > 0


def test_a_step_of_isotonic_calibration_is_counted_and_any_other_difference_is_not_excused() -> (
    None
):
    x, y = rows_of()
    estimator = CalibratedClassifierCV(SVC(), method="isotonic", ensemble=False).fit(x, y)
    original = predict_original(estimator, {"X": x}, numeric_schema(5))
    assert original.scores is not None
    assert has_steps(estimator)
    away = Predictions(original.values, original.scores + np.array([[-0.01, 0.01]]))
    found = score_differences(estimator, {"X": x}, numeric_schema(5), original, away)
    assert found.beyond
    assert found.steps < len(x) / 10


def test_a_split_of_a_tree_on_raw_columns_is_no_excuse() -> None:
    x, y = rows_of()
    tree = DecisionTreeRegressor(random_state=0).fit(x, y)
    at = np.repeat(x[:1], 3, axis=0)
    split = np.float32(tree.tree_.threshold[0])
    at[:, tree.tree_.feature[0]] = split + np.spacing(split) * np.array([-1, 0, 1], np.float32)
    schema = numeric_schema(5, "regression")
    original = predict_original(tree, {"X": at}, schema)
    other = Predictions(original.values + 1, None)
    assert not has_steps(make_pipeline(StandardScaler(), tree).fit(x, y))
    assert score_differences(tree, {"X": at}, schema, original, other).beyond


def test_rounding_is_an_excuse_if_scikit_learn_computes_in_float32_itself() -> None:
    x, _ = rows_of()
    line = LinearRegression().fit(x, x[:, 0])
    line.coef_ = np.array([1e5, -1e5, 0, 0, 0], np.float32)
    near = np.repeat(x[:, :1], 5, axis=1)  # terms of 1e5 cancel
    schema = numeric_schema(5, "regression")
    off = 0.01
    for kind, excused in ((np.float32, True), (np.float64, False)):
        line.coef_ = line.coef_.astype(kind)
        near[:, 1] = x[:, 0] * np.float32(1.00001)
        original = predict_original(line, {"X": near}, schema)
        found = score_differences(
            line, {"X": near}, schema, original, Predictions(original.values + off, None)
        )
        assert (found.rounded > 0) == excused


def test_neighbours_of_regressors_are_compared_by_value() -> None:
    x, _ = rows_of()
    estimator = KNeighborsRegressor().fit(x, x[:, 0] * 1e6)
    schema = numeric_schema(5, "regression")
    model = open_session(to_bytes(to_onnx(estimator, schema, 12)))
    original = predict_original(estimator, {"X": x}, schema)
    assert not score_differences(
        estimator, {"X": x}, schema, original, predict_onnx(model, {"X": x})
    ).beyond


# --- the scan ------------------------------------------------------------------------------------


def test_the_scan_writes_a_page_of_what_it_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        sys,
        "argv",
        ["scores", "--only", "LinearDiscriminantAnalysis / two ints", "--output", str(tmp_path)],
    )
    scores.main()
    page = (tmp_path / "scores.md").read_text(encoding="utf-8")
    assert "| LinearDiscriminantAnalysis | two ints | alone | equal |" in page
    assert "- 0 DIFFERENT" in page


def test_rows_between_equally_near_neighbours_are_at_a_step() -> None:
    x = (
        np.random.default_rng(0).integers(1, 6, (200, 3)).astype(np.float32)
    )  # a survey: many rows are equally near
    y = (x.sum(axis=1) + np.arange(200) % 3 > 9).astype(np.int64)
    model = KNeighborsClassifier(5, algorithm="kd_tree").fit(x, y)
    found = differences(model, {"X": x}, numeric_schema(3))
    distances = np.sort(((x[:, None] - x) ** 2).sum(axis=2), axis=1)
    tied = distances[:, 4] == distances[:, 5]
    assert 0 < found.steps <= tied.sum()
    assert not found.beyond


# --- classifiers with a threshold of their own ----------------------------------------------------


def by_threshold(second: list[float], threshold: float) -> Predictions:
    scores = np.array([[1 - value, value] for value in second])
    return Predictions(np.where(scores[:, 1] >= threshold, "yes", "no"), scores)


def test_a_row_at_the_threshold_ties_and_another_threshold_is_wrong() -> None:
    original = by_threshold([0.1, 0.2, 0.3], 0.2)
    rounded = by_threshold([0.1, 0.2 - 1e-7, 0.3], 0.2)
    assert original.values.tolist() != rounded.values.tolist()
    assert not other_labels(original, rounded).any()
    assert not other_labels(rounded, original).any()
    elsewhere = by_threshold([0.1, 0.2, 0.3], 0.25)
    assert other_labels(by_threshold([0.1, 0.21, 0.3], 0.2), elsewhere).tolist() == [
        False,
        True,
        False,
    ]
    swapped = Predictions(np.array(["yes", "no", "no"]), original.scores)
    assert other_labels(original, swapped).tolist() == [True, True, True]


def test_one_threshold_has_to_explain_all_labels() -> None:
    """Equal scores with other labels are no tie where the label does not follow the score."""
    original = by_threshold([0.1, 0.2, 0.3, 0.4], 0.25)
    other = Predictions(np.array(["no", "yes", "no", "yes"]), original.scores)
    assert other_labels(original, other).tolist() == [False, True, True, False]


def test_decisions_at_a_threshold_of_their_own_tie() -> None:
    from sklearn.model_selection import FixedThresholdClassifier

    x, y = rows_of()
    machine = SVC().fit(x, y)
    threshold = float(np.sort(machine.decision_function(x))[20])
    estimator = FixedThresholdClassifier(
        machine, threshold=threshold, response_method="decision_function"
    ).fit(x, y)
    original = predict_original(estimator, {"X": x}, numeric_schema(5))
    assert original.scores is not None
    moved = original.scores - np.array([[-1e-7, 1e-7]])
    values = np.where(moved[:, 1] >= threshold, *estimator.classes_[::-1])
    assert (values != original.values).sum() == 1
    answer = Predictions(values, moved, original.proper)
    found = score_differences(estimator, {"X": x}, numeric_schema(5), original, answer)
    assert not found.beyond
    assert found.ties == 1
