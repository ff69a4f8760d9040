"""Scores of three models in metrics.json are those that scikit-learn gives the estimators."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import metrics
from sklearn.datasets import load_diabetes, make_classification
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.svm import LinearSVC

from onnxpress.errors import UserError
from onnxpress.estimators.predicting import predict_original
from onnxpress.evaluate.score_metrics import score_metrics
from onnxpress.evaluate.scoring import Scoring, WantedScores, find_scoring
from onnxpress.runtime.predictions import Predictions
from tests.conftest import numeric_schema

LABELS: dict[str, Any] = {
    "text": np.array(["good", "fraud", "unsure"]),
    "numbers": np.array([7, 1, 2]),
    "truths": np.array([True, False]),
    "two texts": np.array(["yes", "no"]),
}


def fitted(labels: Any, estimator: Any) -> tuple[Any, Any, Any]:
    """The estimator, fitted on half of the rows, and the other half."""
    rows, codes = make_classification(
        400, 8, n_informative=5, n_classes=len(labels), flip_y=0.3, random_state=0
    )
    y, rows = labels[codes], rows.astype(np.float32)
    return estimator.fit(rows[::2], y[::2]), rows[1::2], y[1::2]


def predicted(estimator: Any, rows: Any, task: str = "classification") -> Predictions:
    return predict_original(estimator, {"X": rows}, numeric_schema(rows.shape[1], task))


def scores_of(
    wanted: WantedScores, model: Any, rows: Any, y: Any
) -> tuple[Scoring, dict[str, float]]:
    found = predicted(model, rows)
    scoring = find_scoring(wanted, "classification", model.classes_, found)
    target = y.astype(np.int64) if y.dtype == bool else y
    return scoring, score_metrics(scoring, target, [found] * 3)


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS.keys())
def test_classifiers_have_the_scores_that_scikit_learn_gives_them(labels: Any) -> None:
    model, rows, y = fitted(labels, RandomForestClassifier(20, max_depth=4, random_state=0))
    names = ("balanced_accuracy", "roc_auc_ovr", "f1_macro")
    found = scores_of(WantedScores("neg_log_loss", names), model, rows, y)[1]
    for name in ("accuracy", "neg_log_loss", *names):
        assert found[f"onnx_{name}"] == pytest.approx(metrics.get_scorer(name)(model, rows, y))
    recalls = metrics.recall_score(y, model.predict(rows), average=None)
    assert found["original_recall_worst"] == pytest.approx(recalls.min())
    loss = metrics.log_loss(y, model.predict_proba(rows), labels=model.classes_)
    assert found["quantized_log_loss"] == pytest.approx(loss)
    brier = metrics.brier_score_loss(y, model.predict_proba(rows), labels=model.classes_)
    assert found["quantized_brier"] == pytest.approx(brier)


@pytest.mark.parametrize("positive", ["yes", "no"])
def test_precision_and_the_like_are_about_the_positive_class(positive: str) -> None:
    model, rows, y = fitted(LABELS["two texts"], RandomForestClassifier(10, random_state=0))
    wanted = WantedScores("average_precision", ("recall",), positive)
    found = scores_of(wanted, model, rows, y)[1]
    share = model.predict_proba(rows)[:, list(model.classes_).index(positive)]
    expected = metrics.average_precision_score(y == positive, share)
    assert found["original_average_precision"] == pytest.approx(expected)
    recall = metrics.recall_score(y, model.predict(rows), pos_label=positive)
    assert found["original_recall"] == pytest.approx(recall)


def test_a_model_without_probabilities_has_no_scores_of_them() -> None:
    model, rows, y = fitted(LABELS["text"], LinearSVC(random_state=0))
    _, found = scores_of(WantedScores(), model, rows, y)
    assert np.isnan(found["original_calibration_error"])
    assert not {"original_log_loss", "original_brier"} & set(found)
    with pytest.raises(UserError, match=r"^evaluate\.also 'neg_log_loss' needs prob"):
        wanted = WantedScores(None, ("f1_macro", "neg_log_loss"))
        find_scoring(wanted, "classification", model.classes_, predicted(model, rows), "evaluate.")


def test_the_worst_recall_is_that_of_a_class_with_rows() -> None:
    model, rows, y = fitted(LABELS["text"], RandomForestClassifier(10, random_state=0))
    kept = y != "unsure"
    found = scores_of(WantedScores(), model, rows[kept], y[kept])[1]
    recalls = [(model.predict(rows[y == each]) == each).mean() for each in ("good", "fraud")]
    assert found["original_recall_worst"] == min(recalls)


def test_columns_in_another_order_than_that_of_the_labels_are_found() -> None:
    """As a graph has them that lists its labels as b, a."""
    model, rows, y = fitted(LABELS["two texts"], RandomForestClassifier(10, random_state=0))
    found = predicted(model, rows)
    assert found.scores is not None
    turned = Predictions(found.values, found.scores[:, ::-1])
    wanted = WantedScores("roc_auc")
    scoring = find_scoring(wanted, "classification", model.classes_[::-1], turned)
    expected = metrics.get_scorer("roc_auc")(model, rows, y)
    assert score_metrics(scoring, y, [turned] * 3)["original_roc_auc"] == pytest.approx(expected)


def test_regressors_have_the_scores_that_scikit_learn_gives_them() -> None:
    rows, y = load_diabetes(return_X_y=True)
    rows = rows.astype(np.float32)
    model = RandomForestRegressor(10, max_depth=3, random_state=0).fit(rows[::2], y[::2])
    found = predicted(model, rows, "regression")
    names = ("neg_mean_absolute_error", "neg_mean_poisson_deviance")
    scoring = find_scoring(WantedScores("neg_mean_gamma_deviance", names), "regression", (), found)
    of_models = score_metrics(scoring, y, [found] * 3)
    for name in ("r2", "neg_mean_gamma_deviance", *names):
        expected = metrics.get_scorer(name)(model, rows, y)
        assert of_models[f"quantized_{name}"] == pytest.approx(expected)
    assert not [key for key in of_models if "recall" in key or "calibration" in key]
