"""Generated data sets by name, and the rows that a model predicts.

A name is words: ``two`` or ``three`` classes as ``ints`` or ``strings``, or ``small`` or ``large``
targets; then, where the columns are not about one in size, ``bad`` (scales from 1e-3 to 1e5, far
from 0), ``counts`` (small whole numbers) or ``wide`` (more columns).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.estimators.parts import parts_of
from onnxpress.tables.names import NUMERIC_INPUT
from onnxpress.tables.rows import Feeds, Rows
from onnxpress.tables.schema import Column, Schema

TRAIN, FRESH, TIES = 240, 200, 60
NEIGHBOURS = 2  # float32 values on either side of a split
SEED = 0
Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class Data:
    """Training rows, and fresh rows of the same distribution."""

    schema: Schema
    train: Rows
    fresh: Matrix


@cache
def data_of(name: str) -> Data:
    """The data set of that name."""
    words = set(name.split())
    random = np.random.default_rng(SEED)
    plain = random.normal(size=(TRAIN + FRESH, 12 if "wide" in words else 5))
    target = _target(plain, words, random)
    x = _columns(plain, words).astype(np.float32)
    if "missing" in words:
        x[random.random(x.shape) < 0.1] = np.nan
    task = "regression" if words & {"small", "large"} else "classification"
    columns = tuple(
        Column(f"f{i}", "number", missing="missing" in words) for i in range(x.shape[1])
    )
    std = float(np.std(target[:TRAIN])) if task == "regression" else None
    schema = Schema("regression" if std is not None else "classification", "target", columns, std)
    return Data(schema, Rows({NUMERIC_INPUT: x[:TRAIN]}, target[:TRAIN]), x[TRAIN:])


def _target(
    plain: NDArray[np.float64], words: set[str], random: np.random.Generator
) -> NDArray[Any]:
    signal = (
        plain[:, 0]
        - 0.7 * plain[:, 1]
        + 0.5 * plain[:, 2] * plain[:, 3]
        + random.normal(0, 0.5, len(plain))
    )
    if "large" in words:
        return np.asarray(1e6 * (signal - signal.min()) + 1e7, np.float64)
    if "small" in words:
        return np.asarray(
            signal - signal.min() + 0.1 if "positive" in words else signal, np.float64
        )
    bounds = [0.0] if "two" in words else [-0.6, 0.6]
    classes = np.digitize(signal, bounds)
    if "strings" in words:
        return np.array(["yes", "no", "perhaps"])[classes]
    return np.array([3, 7, 20])[classes] if "odd" in words else classes.astype(np.int64)


def _columns(plain: NDArray[np.float64], words: set[str]) -> NDArray[np.float64]:
    if "counts" in words:
        return np.floor(np.clip(2 + 1.5 * plain, 0, 7))
    if "bad" in words:
        scales, offsets = (
            np.resize([1e5, 1e-3, 1.0, 300.0, 20.0], plain.shape[1]),
            np.resize([3.0, 0, 50, 1, -2], plain.shape[1]),
        )
        return np.asarray((plain + offsets) * scales)
    return plain


def compared_rows(estimator: Any, data: Data) -> Feeds:
    """Training rows, fresh rows, columns drawn apart, and rows between, far off and at splits."""
    random = np.random.default_rng(SEED + 1)
    train = data.train.feeds[NUMERIC_INPUT]
    apart = np.column_stack([random.permutation(column) for column in data.fresh.T])[:TIES]
    pairs = random.integers(0, len(train), (2, TIES))
    halfway = (train[pairs[0]] + train[pairs[1]]) / np.float32(2)
    far = train[:3] * 3
    if (train == np.floor(train)).all():
        halfway, far = np.floor(halfway), train[:0]
    rows = [train, data.fresh, apart, halfway, far, *_at_splits(estimator, data.fresh)]
    return {NUMERIC_INPUT: np.concatenate(rows).astype(np.float32)}


def _at_splits(estimator: Any, fresh: Matrix) -> list[Matrix]:
    """For some splits of trees, fresh rows with a value below, at, and above the split.

    The trees may be behind a scaler.
    """
    splits = sorted({split for part in parts_of(estimator) for split in _splits(part)})
    scaler = next(
        (part for part in parts_of(estimator) if type(part).__name__ == "StandardScaler"), None
    )
    random = np.random.default_rng(SEED + 2)
    found = []
    for row, number in enumerate(random.permutation(len(splits))[:TIES]):
        column, threshold = splits[number]
        if column >= fresh.shape[1]:
            continue
        at = np.float32(
            threshold
            if scaler is None
            else threshold * scaler.scale_[column] + scaler.mean_[column]
        )
        steps = np.arange(-NEIGHBOURS, NEIGHBOURS + 1) * np.spacing(at)
        several = np.repeat(fresh[[row % len(fresh)]], len(steps), axis=0)
        several[:, column] = at + steps
        found.append(several)
    return found


def _splits(part: Any) -> list[tuple[int, float]]:
    tree = getattr(part, "tree_", None)
    if tree is not None and hasattr(tree, "threshold"):
        inner = tree.children_left >= 0
        return list(zip(tree.feature[inner].tolist(), tree.threshold[inner].tolist(), strict=True))
    found = []
    for stage in getattr(part, "_predictors", ()):
        for predictor in stage:
            nodes = predictor.nodes[~predictor.nodes["is_leaf"].astype(bool)]
            found += list(
                zip(nodes["feature_idx"].tolist(), nodes["num_threshold"].tolist(), strict=True)
            )
    return [split for split in found if np.isfinite(split[1])]
