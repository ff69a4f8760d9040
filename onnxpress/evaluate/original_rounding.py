"""Rows on which the original's own rounding explains that a converted model differs from it.

An estimator with steps (isotonic calibration, nearest neighbours, trees behind computed numbers)
jumps where its input crosses a point by less than a rounding. One that computes in float32 rounds
its own scores by more than the tolerance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.estimators.layout import original_input
from onnxpress.estimators.parts import parts_of
from onnxpress.estimators.predicting import predict_original, predict_rows
from onnxpress.evaluate.relative_differences import (
    TOLERANCE,
    Flags,
    numbers,
    relative_differences,
)
from onnxpress.tables.rows import Feeds
from onnxpress.tables.schema import Schema

ROUNDING = 4 * float(np.finfo(np.float32).eps)
"""How far a number is moved, relative to its size: four units of the last place."""
MOVES = 40
"""How often all numbers of the rows are moved."""
EXACT_PACKAGES = {
    "sklearn._loss",
    "sklearn.compose",
    "sklearn.dummy",
    "sklearn.ensemble",
    "sklearn.feature_extraction",
    "sklearn.impute",
    "sklearn.pipeline",
    "sklearn.preprocessing",
    "sklearn.tree",
    "sklearn.utils",
}
"""Estimators of these hand trees behind them the very numbers that scikit-learn compares."""


def has_steps(estimator: Any) -> bool:
    """Return whether rounding may become a step in the estimator.

    It may in isotonic calibration, in nearest neighbours, and in trees on computed numbers.
    """
    parts = list(parts_of(estimator))
    if any(_is_isotonic(part) or hasattr(part, "n_neighbors") for part in parts):
        return True
    trees = any(hasattr(part, "tree_") or hasattr(part, "_predictors") for part in parts)
    packages = {".".join(type(part).__module__.split(".")[:2]) for part in parts}
    return trees and not packages <= EXACT_PACKAGES


def _is_isotonic(part: Any) -> bool:
    return type(part).__name__ == "IsotonicRegression" or getattr(part, "method", "") == "isotonic"


def rows_at_steps(
    estimator: Any,
    feeds: Feeds,
    schema: Schema,
    scores: NDArray[np.float64],
    same_label: Flags,
) -> Flags:
    """Flag the rows, (rows,), that lie at a step of the estimator.

    There it gives the converted model's ``scores``, (rows, classes), once the numbers of the row
    are moved by their rounding. Text cannot be moved: rows without numbers lie at a step if
    ``same_label``, (rows,), holds.
    """
    movable = any(values.dtype.kind == "f" for values in feeds.values())
    found = np.zeros(len(scores), bool) if movable else same_label
    for moved in _scores_of_moved_rows(estimator, feeds, schema):
        found = found | (relative_differences(moved, scores) <= TOLERANCE)
    return found | _between_neighbours(estimator, original_input(estimator, feeds, schema))


def _between_neighbours(estimator: Any, rows: Any) -> Flags:
    """Flag rows whose last neighbour that counts and the first that does not are equally near.

    No rule of the model decides between the two.
    """
    steps = getattr(estimator, "steps", [("", estimator)])
    model = steps[-1][1]
    counted = getattr(model, "n_neighbors", None)
    if not (hasattr(model, "kneighbors") and counted) or counted >= model.n_samples_fit_:
        return np.zeros(len(rows), bool)
    rows = estimator[:-1].transform(rows) if len(steps) > 1 else rows
    *_, last, following = model.kneighbors(rows, counted + 1)[0].T
    return np.asarray(following - last <= ROUNDING * following)


def computes_in_float32(estimator: Any, feeds: Feeds, schema: Schema) -> bool:
    """Return whether the scores change by a quarter of the tolerance if the rows are in float64."""
    rows = original_input(estimator, feeds, schema)
    wide: Any
    if isinstance(rows, Mapping):  # tensors, of which an ONNX model gets what it takes
        return False
    if isinstance(rows, np.ndarray):
        wide = rows.astype(np.float64) if rows.dtype.kind == "f" else rows
    else:
        narrow = [name for name, kind in rows.dtypes.items() if kind == np.float32]
        wide = rows.astype(dict.fromkeys(narrow, np.float64))
    one, other = (numbers(predict_rows(estimator, each, schema)) for each in (rows, wide))
    return bool(relative_differences(one, other).max() > TOLERANCE / 4)


def rounding_of_scores(estimator: Any, feeds: Feeds, schema: Schema) -> NDArray[np.float64]:
    """Return how far each row's scores move with the rounding of its numbers, (rows,)."""
    scores = numbers(predict_original(estimator, feeds, schema))
    moves = [
        relative_differences(scores, moved)
        for moved in _scores_of_moved_rows(estimator, feeds, schema)
    ]
    return np.asarray(np.max(moves, axis=0))


def _scores_of_moved_rows(
    estimator: Any, feeds: Feeds, schema: Schema
) -> Iterator[NDArray[np.float64]]:
    """Yield the estimator's scores after moving every number by some units of its last place."""
    random = np.random.default_rng(0)
    floats = {name: values for name, values in feeds.items() if values.dtype.kind == "f"}
    for _ in range(MOVES):
        moved = {}
        for name, values in floats.items():
            factors = 1 + random.uniform(-ROUNDING, ROUNDING, values.shape)
            moved[name] = (values * factors).astype(np.float32)
        yield numbers(predict_original(estimator, feeds | moved, schema))
