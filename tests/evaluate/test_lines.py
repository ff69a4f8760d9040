"""Evaluate says what makes its metrics worth less."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxpress.evaluate.lines import TITLES, metric_lines, prediction_warnings
from onnxpress.evaluate.predicted_rows import PredictedRows
from onnxpress.evaluate.scoring import WantedScores, find_scoring
from onnxpress.runtime.predictions import Predictions
from tests.conftest import numeric_schema


def warnings_of(target: Any, values: Any, task: str = "classification") -> list[str]:
    found = np.asarray(values)
    scores = (found[:, None] == np.unique(target)).astype(float)
    predictions = Predictions(found, None if task == "regression" else scores)
    feeds = {"X": np.zeros((len(target), 1), np.float32)}
    rows = PredictedRows("test", feeds, [predictions] * 3)
    return list(prediction_warnings(numeric_schema(1, task), np.asarray(target), [rows]))


def test_an_original_worse_than_a_constant_is_said_so() -> None:
    (line,) = warnings_of([0, 0, 0, 1], [1, 1, 0, 1])
    assert line.startswith("warning: the original is worse than a constant on the 4 test rows")
    assert "accuracy 0.5000, against 0.7500 for 0 every time" in line
    (line,) = warnings_of([1.0, 2.0, 3.0], [3.0, 2.0, 1.0], "regression")
    assert "R2 -3.0000" in line
    assert warnings_of(["a", "b"], ["a", "a"]) == []
    assert warnings_of([1.0, 2.0, 3.0], [2.0, 2.0, 2.0], "regression") == []


def test_a_score_by_name_is_held_against_that_of_a_constant() -> None:
    """One of 20 rows is rare: a constant is right on 19, a model that finds the rare one on 17."""
    target = np.array(["no"] * 19 + ["rare"])
    share = np.array([0.1] * 16 + [0.6] * 3 + [0.9])
    values = np.where(share > 0.5, "rare", "no")

    def warned(name: str | None, *, turned: bool = False) -> list[str]:
        scores = 1 - share if turned else share
        model = Predictions(values, np.stack([1 - scores, scores], axis=1))
        rows = PredictedRows("test", {"X": np.zeros((20, 1), np.float32)}, [model] * 3)
        wanted = WantedScores(name)
        scoring = find_scoring(wanted, "classification", ["no", "rare"], model)
        return list(prediction_warnings(numeric_schema(1), target, [rows], TITLES, scoring))

    assert len(warned(None)) == 1
    assert warned("average_precision") == []
    (line,) = warned("roc_auc", turned=True)
    assert "roc_auc 0.0000, against 0.5000 for the same prediction every time" in line


def test_answers_that_are_no_numbers_are_counted_for_each_model() -> None:
    said = warnings_of([1.0, 2.0, 3.0], [1.0, np.nan, np.inf], "regression")
    assert len(said) == 3
    what = "predicts NaN or infinity on 2 of 3 test rows, first test row 1 ('f0' is 0)"
    assert f"the original model {what}" in said[0]
    assert f"the quantised model {what}" in said[2]


def test_metrics_have_a_line_per_model_with_the_standard_error_behind_its_value() -> None:
    metrics = {
        "original_accuracy": 0.9,
        "quantized_score_drop": 0.0123,
        "quantized_score_drop_se": 0.004,
        "accuracy_loss_pp": 1.23,
    }
    found = ["original: accuracy 0.9", "onnx: ", "quantized: score_drop 0.0123 ± 0.004"]
    assert metric_lines(metrics) == found


def test_labels_that_differ_on_ties_are_counted_as_such() -> None:
    scores = np.array([[0.5, 0.5], [0.1, 0.9], [0.8, 0.2]])
    original = Predictions(np.array([0, 1, 0]), scores)
    other = Predictions(np.array([1, 1, 0]), scores + np.array([[-1e-8, 1e-8]]))
    rows = PredictedRows("probe", {"X": np.zeros((3, 1), np.float32)}, [original, other, other])
    names = {"original": "a", "onnx": "outputs/model.onnx", "quantized": "c"}
    (line,) = prediction_warnings(numeric_schema(1), np.array([0, 1, 0]), [rows], names)
    assert line.startswith("outputs/model.onnx gives the other class on 1 of 3 probe rows")


def test_a_zero_has_no_sign() -> None:
    found = metric_lines({"quantized_log_loss_drop": -0.0, "quantized_brier_drop": -1e-9})
    assert found[-1] == "quantized: log_loss_drop 0, brier_drop 0"
