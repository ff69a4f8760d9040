"""What evaluate needs of memory does not grow with the test rows, and its metrics are the same."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    log_loss,
    median_absolute_error,
    ndcg_score,
    r2_score,
)

from onnxpress.conversion.converting import to_onnx
from onnxpress.evaluate import deciding_rows, loss_metrics, predicted_rows
from onnxpress.evaluate.evaluation import Evaluation, EvaluationSettings, ThreeModels, evaluate
from onnxpress.evaluate.lines import TITLES
from onnxpress.evaluate.predicted_rows import predictions_csv
from onnxpress.evaluate.scoring import WantedScores
from onnxpress.graph.canonical import to_bytes
from onnxpress.runtime.predictions import Predictions
from onnxpress.scores import errors, ndcg, score
from onnxpress.tables import mapped
from onnxpress.tables.column_types import Task
from onnxpress.tables.mapped import arrays_in, room, spans
from onnxpress.tables.rows import Rows
from onnxpress.tables.schema import Column, Schema

PIECE = 4096
FEW, MANY = 6 * PIECE, 22 * PIECE
"""Both are more than the rows that standard errors are computed on."""
MOST = 4
"""Bytes a row. Evaluate took 230 while it had all predictions in memory."""
GROUP = 20
"""Rows of a group."""


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (mapped, score, ndcg, predicted_rows):
        monkeypatch.setattr(module, "PIECE_ROWS", PIECE)
    for module in (errors, loss_metrics):
        monkeypatch.setattr(module, "MOST_SCORES", PIECE)
        monkeypatch.setattr(module, "GROUPS", 3)
    monkeypatch.setattr(deciding_rows, "MOST_TRIED", 1)


def rows_of(task: Task, rows: int, targets: int = 1, *, grouped: bool = False) -> Rows:
    """Two columns and a target that follows from them, in files; the groups lie in no order."""
    random, classes = np.random.default_rng(0), task == "classification"
    x = room((rows, 2), np.float32)
    shape = (rows,) if targets == 1 else (rows, targets)
    y = room(shape, np.int64 if classes else np.float64)
    groups = room((rows,), np.int64)
    for span in spans(rows):
        x[span] = random.normal(size=x[span].shape)
        noisy = x[span].sum(axis=1) + random.normal(size=(targets, len(x[span])))
        y[span] = ((noisy > 0) if classes else np.exp(noisy)).T.reshape(y[span].shape)
        groups[span] = random.integers(0, rows // GROUP, len(x[span]))
    return Rows({"X": x}, y, groups if grouped else None)


def evaluated(rows: Rows, name: str | None) -> tuple[Evaluation, int]:
    """Two models that are compared, and the peak of memory that no file is behind."""
    x, y = rows.feeds["X"], rows.target
    classes, targets = y.dtype.kind == "i", tuple(f"y{at}" for at in range(y[0].size))
    columns = tuple(Column(name, "number", missing=False) for name in "ab")
    deviations = tuple(1.7 for _ in targets)
    several = {"target": targets, "target_std": deviations}
    alone = {"target": "y", "target_std": None if classes else 1.7}
    names: dict[str, Any] = alone if len(targets) == 1 else several
    schema = Schema("classification" if classes else "regression", columns=columns, **names)
    kind = LogisticRegression if classes else Ridge
    one, other = (kind().fit(x[first:1000], y[first:1000]) for first in (0, 500))
    files = [to_bytes(to_onnx(each, schema, 12)) for each in (one, other)]
    models = ThreeModels(one, files[0], files[1], TITLES)
    settings = EvaluationSettings(1e-3, 100, 0, WantedScores(name))
    gc.collect()
    tracemalloc.start()
    found = evaluate(models, {"X": x[:2000]}, rows, schema, settings)
    for _ in predictions_csv(y, found.tested.predictions, schema):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found, peak


def chances(predictions: Predictions) -> Any:
    assert predictions.scores is not None
    return predictions.scores[:, 1]


def ndcg_of_each(rows: Rows, predictions: Predictions) -> float:
    assert rows.groups is not None
    groups = [np.flatnonzero(rows.groups == number) for number in np.unique(rows.groups)]
    each = [ndcg_score([rows.target[own]], [predictions.values[own]]) for own in groups]
    return float(np.mean(each))


Expected = dict[str, Callable[[Rows, Predictions], float]]
OF_NUMBERS: Expected = {"r2": lambda rows, found: r2_score(rows.target, found.values)}
OF_CLASSES: Expected = {
    "accuracy": lambda rows, found: accuracy_score(rows.target, found.values),
    "log_loss": lambda rows, found: log_loss(rows.target, chances(found)),
    "brier": lambda rows, found: brier_score_loss(rows.target, chances(found)),
    "average_precision": lambda rows, found: average_precision_score(rows.target, chances(found)),
}
MEDIAN = "neg_median_absolute_error"


@pytest.mark.parametrize(
    ("task", "name", "more", "expected"),
    [
        ("classification", "average_precision", {"grouped": True}, OF_CLASSES),
        ("regression", None, {"targets": 3}, OF_NUMBERS),
        (
            "regression",
            MEDIAN,
            {},
            {MEDIAN: lambda rows, found: -median_absolute_error(rows.target, found.values)},
        ),
        ("regression", "ndcg", {"grouped": True}, {"ndcg": ndcg_of_each}),
    ],
)
def test_memory_does_not_grow_and_metrics_are_those_of_scikit_learn(
    task: Task, name: str | None, more: dict[str, Any], expected: Expected, tmp_path: Path
) -> None:
    with arrays_in(tmp_path):
        evaluated(rows_of(task, 1000, **more), name)  # what is made once
        _, few = evaluated(rows_of(task, FEW, **more), name)
        rows = rows_of(task, MANY, **more)
        found, many = evaluated(rows, name)
        assert not list(tmp_path.iterdir())  # the mapped files have no name
    assert (many - few) / (MANY - FEW) < MOST
    compared = 0
    for key, measure in expected.items():
        if f"original_{key}" in found.metrics:
            value = measure(rows, found.tested.predictions[0])
            assert found.metrics[f"original_{key}"] == pytest.approx(value, rel=1e-9)
            compared += 1
    assert compared == (4 if task == "classification" else 1)


def test_metrics_are_the_same_on_the_disk_and_in_memory(tmp_path: Path) -> None:
    here, _ = evaluated(rows_of("classification", 3 * PIECE), None)
    with arrays_in(tmp_path):
        there, _ = evaluated(rows_of("classification", 3 * PIECE), None)
    assert here.metrics == there.metrics
    assert here.detail == there.detail
