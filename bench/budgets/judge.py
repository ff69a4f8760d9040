"""What a chosen model has lost, on rows that nobody has seen."""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import average_precision_score
from sklearn.model_selection import train_test_split

from bench.budgets.fraud import table
from onnxpress import compress
from onnxpress.runtime.predictions import Predictions
from onnxpress.runtime.sessions import open_session, predict_onnx

Record = dict[str, Any]

ROWS, FRESH = 12_000, 200_000
"""Rows of a table, of which a fifth is for testing; and rows that judge the result."""
TREES = 100
HELD = 0.2
"""Share of the rows for testing, and of the others for calibration, as the pipeline splits."""
FRESH_SEED = 1_000_000

BUDGETS: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    "average_precision": {"score": "average_precision"},
}
"""Arguments of compress, by what the runs are called."""


def record(shape: str, share: float, seed: int) -> Record:
    """Fit a forest on one table, compress it within each of ``BUDGETS``, and judge the results."""
    start = monotonic()
    x, y = table(shape, ROWS, share, seed)
    train, calibration = _parts(y, seed)
    forest = RandomForestClassifier(TREES, random_state=seed).fit(x[train], y[train])
    fresh, right = table(shape, FRESH, share, FRESH_SEED + seed)
    compressed = {}
    for name, arguments in BUDGETS.items():
        rows = x[calibration], y[calibration]
        compressed[name] = compress(
            forest, x[train], y[train], calibration=rows, seed=seed, **arguments
        )
    plain = compressed["default"].plain
    before, chosen = _predicted(plain, fresh), {}
    for name, found in compressed.items():
        after = _predicted(found.data, fresh)
        chosen[name] = {
            "candidate": found.candidate,
            "times_smaller": found.times_smaller,
            **_losses(right, before, after),
        }
    return {
        "shape": shape,
        "share": share,
        "seed": seed,
        "kb": len(plain) / 1024,
        "recall": float(np.mean(before.values[right == 1] == 1)),
        "average_precision": _precision(right, before),
        "chosen": chosen,
        "seconds": monotonic() - start,
    }


def _parts(y: NDArray[np.int64], seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Positions of training and calibration rows, split as the pipeline splits."""
    rows = np.arange(len(y))
    rest, _ = train_test_split(rows, test_size=HELD, random_state=seed, stratify=y)
    train, calibration = train_test_split(rest, test_size=HELD, random_state=seed, stratify=y[rest])
    return train, calibration


def _losses(right: NDArray[np.int64], before: Predictions, after: Predictions) -> Record:
    """The losses of recall by class, of average precision, and the share of other answers."""
    recall = {}
    for label in (0, 1):
        own = right == label
        lost = np.mean(before.values[own] == label) - np.mean(after.values[own] == label)
        recall[str(label)] = float(lost)
    return {
        "recall_loss": recall,
        "average_precision_loss": _precision(right, before) - _precision(right, after),
        "disagreement": float(np.mean(before.values != after.values)),
    }


def _precision(right: NDArray[np.int64], predictions: Predictions) -> float:
    scores = predictions.scores
    if scores is None:
        raise TypeError("a classifier of this bench has probabilities")
    return float(average_precision_score(right, scores[:, 1]))


def _predicted(model: bytes, x: NDArray[np.float32]) -> Predictions:
    return predict_onnx(open_session(model), {"X": x})
