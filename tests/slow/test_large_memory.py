"""What evaluate needs of memory does not grow with the test rows, and its metrics are the same."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import brier_score_loss, log_loss, r2_score

from onnxpress.conversion.converting import to_onnx
from onnxpress.evaluate.evaluation import Evaluation, EvaluationSettings, ThreeModels, evaluate
from onnxpress.evaluate.lines import TITLES
from onnxpress.evaluate.predicted_rows import predictions_csv
from onnxpress.graph.canonical import to_bytes
from onnxpress.scores import errors, score
from onnxpress.tables import mapped
from onnxpress.tables.column_types import Task
from onnxpress.tables.mapped import arrays_in, room, spans
from onnxpress.tables.rows import Rows
from onnxpress.tables.schema import Column, Schema

PIECE = 8192
ROWS = {"classification": (6 * PIECE, 12 * PIECE), "regression": (11 * PIECE, 15 * PIECE)}
"""All are more than the rows that standard errors are computed on."""
MOST = 4
"""Bytes a row. Evaluate took 230 while it had all predictions in memory."""


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (mapped, score, errors):
        monkeypatch.setattr(module, "PIECE_ROWS", PIECE)


def evaluated(task: Task, rows: int) -> tuple[Evaluation, Rows, int]:
    """Two models that are compared, the rows, and the peak of memory that no file is behind."""
    random, classes = np.random.default_rng(0), task == "classification"
    x = room((rows, 2), np.float32)
    y = room((rows,), np.int64 if classes else np.float64)
    for span in spans(rows):
        x[span] = random.normal(size=x[span].shape)
        noisy = x[span].sum(axis=1) + random.normal(size=len(x[span]))
        y[span] = noisy > 0 if classes else noisy
    columns = tuple(Column(name, "number", missing=False) for name in "ab")
    schema = Schema(task, "y", columns, target_std=None if classes else 1.7)
    kind = LogisticRegression if classes else Ridge
    one, other = (kind().fit(x[first:1000], y[first:1000]) for first in (0, 500))
    files = [to_bytes(to_onnx(each, schema, 12)) for each in (one, other)]
    models = ThreeModels(one, files[0], files[1], TITLES)
    tracemalloc.start()
    settings = EvaluationSettings(1e-3, 100, 0)
    found = evaluate(models, {"X": x[:2000]}, Rows({"X": x}, y), schema, settings)
    for _ in predictions_csv(y, found.tested.predictions, schema):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found, Rows({"X": x}, y), peak


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_memory_does_not_grow_and_metrics_are_those_of_scikit_learn(
    task: Task, tmp_path: Path
) -> None:
    with arrays_in(tmp_path):
        evaluated(task, 1000)  # what is made once
        less, more = ROWS[task]
        few = evaluated(task, less)[-1]
        found, rows, many = evaluated(task, more)
        assert not list(tmp_path.iterdir())  # the mapped files have no name
    assert (many - few) / (more - less) < MOST
    original = found.tested.predictions[0]
    if original.scores is None:
        expected = {"r2": r2_score(rows.target, original.values)}
    else:
        chances = original.scores[:, 1]
        expected = {
            "accuracy": np.mean(rows.target == original.values),
            "log_loss": log_loss(rows.target, chances),
            "brier": brier_score_loss(rows.target, chances),
        }
    for name, value in expected.items():
        assert found.metrics[f"original_{name}"] == pytest.approx(value, rel=1e-9)


def test_metrics_are_the_same_on_the_disk_and_in_memory(tmp_path: Path) -> None:
    here, *_ = evaluated("classification", 3 * PIECE)
    with arrays_in(tmp_path):
        there, *_ = evaluated("classification", 3 * PIECE)
    assert here.metrics == there.metrics
    assert here.detail == there.detail
