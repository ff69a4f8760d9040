"""The whole evaluation on targets and models that leave some figures undefined."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from onnxpress.conversion.converting import to_onnx
from onnxpress.errors import UserError
from onnxpress.evaluate.evaluation import Evaluation, EvaluationSettings, ThreeModels, evaluate
from onnxpress.evaluate.lines import TITLES
from onnxpress.evaluate.scoring import WantedScores
from onnxpress.gates import judge
from onnxpress.tables.rows import Rows
from tests.conftest import numeric_schema

DRAW = np.random.default_rng(0)
ROWS, CODES = make_classification(300, 5, n_informative=5, n_redundant=0, random_state=0)
ROWS = ROWS.astype(np.float32)
NUMBERS = (ROWS[:, 0] * 3 + DRAW.normal(size=300)).astype(np.float64)
THREE = np.where(ROWS[:, 0] > 0.5, 2, CODES)

Case = tuple[BaseEstimator, Any, Any]
"""An estimator, the target of the training rows, and that of the test rows."""

CASES: dict[str, Callable[[], Case]] = {
    "text": lambda: (DecisionTreeClassifier(max_depth=3), CODES.astype(str), CODES.astype(str)),
    "one and two": lambda: (LogisticRegression(), CODES + 1, CODES + 1),
    "decisions of two": lambda: (LinearSVC(), CODES, CODES),
    "decisions of three": lambda: (LinearSVC(), THREE, THREE),
    "a decision a pair": lambda: (SVC(decision_function_shape="ovo"), THREE, THREE),
    "a class without test rows": lambda: (
        DecisionTreeClassifier(max_depth=3),
        THREE,
        np.where(THREE == 2, 0, THREE),
    ),
    "one class in the test rows": lambda: (LogisticRegression(), CODES, np.zeros_like(CODES)),
    "a class with one test row": lambda: (
        DecisionTreeClassifier(max_depth=3),
        THREE,
        np.where((THREE == 2) & (np.arange(300) != np.argmax(THREE == 2)), 0, THREE),
    ),
    "a class that the model does not know": lambda: (LogisticRegression(), CODES, THREE),
    "numbers": lambda: (RandomForestRegressor(5, random_state=0), NUMBERS, NUMBERS),
    "a constant": lambda: (LinearRegression(), NUMBERS, np.full(300, 2.0)),
    "counts": lambda: (PoissonRegressor(), np.floor(np.exp(ROWS[:, 0] / 2)), np.exp(NUMBERS / 9)),
}


def evaluated(case: Case, wanted: WantedScores | None = None) -> Evaluation:
    estimator, target, test = case
    task = "regression" if target.dtype.kind == "f" else "classification"
    schema = numeric_schema(5, task, target_std=1.0 if task == "regression" else None)
    model = estimator.fit(ROWS, target)
    data = to_onnx(model, schema, 12).SerializeToString()
    settings = EvaluationSettings(0.001, 50, 0, wanted or WantedScores())
    rows = Rows({"X": ROWS}, test)
    return evaluate(ThreeModels(model, data, data, TITLES), {"X": ROWS}, rows, schema, settings)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_metrics_are_finite_numbers_and_equal_models_lose_nothing(
    case: Callable[[], Case],
) -> None:
    estimator, target, test = case()
    found = evaluated((estimator, target, test))
    metrics = found.metrics
    assert all(math.isfinite(value) for value in metrics.values())
    losses = [metrics[key] for key in metrics if key.endswith(("_drop", "_worst_loss"))]
    assert max(map(abs, losses), default=0) < 1e-5
    assert "got worse" not in " ".join(found.lines(metrics))
    assert metrics["quantized_disagreement"] == 0
    assert metrics["quantized_disagreement_upper"] == pytest.approx(1 - 0.05 ** (1 / 300))
    assert ("quantized_score_drop" in metrics) == (target.dtype.kind != "f" or np.ptp(test) > 0)
    assert found.lines(metrics)


def test_default_gates_on_drops_pass_where_a_class_has_too_few_rows() -> None:
    few = np.concatenate([np.zeros(295, int), np.ones(5, int)])
    found = evaluated((DecisionTreeClassifier(max_depth=3), CODES, few))
    off = dict.fromkeys(
        (
            "min_onnx_agreement",
            "max_score_diff",
            "max_size_ratio",
            "min_onnx_speedup",
            "min_quantized_vs_onnx_speedup",
        )
    )
    verdicts = judge({**off, "max_drop": {}}, found.metrics)
    assert [each.passed for each in verdicts if each.gate.name.startswith("max_drop")] == [True] * 2


@pytest.mark.parametrize(
    ("case", "score", "line"),
    [
        ("one class in the test rows", "roc_auc", "evaluate.score 'roc_auc' is undefined on the"),
        ("a constant", "r2", "evaluate.score 'r2' is undefined on the 300 test rows"),
        ("decisions of two", "neg_log_loss", "evaluate.score 'neg_log_loss' needs probabilities"),
        ("a decision a pair", "roc_auc_ovr", "evaluate.score 'roc_auc_ovr' needs probabilities"),
        ("numbers", "accuracy", "evaluate.score 'accuracy' is for classification"),
    ],
)
def test_a_score_that_is_undefined_is_refused_in_one_line(case: str, score: str, line: str) -> None:
    with pytest.raises(UserError) as error:
        evaluated(CASES[case](), WantedScores(score))
    assert str(error.value).startswith(line)
    assert "\n" not in str(error.value)
