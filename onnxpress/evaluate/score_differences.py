"""How far the answers of a model are from the original's: the tolerance that every converted model is held to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.estimators.layout import original_input
from onnxpress.estimators.parts import parts_of
from onnxpress.estimators.predicting import by_class, predict_original, predict_rows
from onnxpress.runtime.predictions import Predictions
from onnxpress.tables.rows import Feeds, take
from onnxpress.tables.schema import Schema

TOLERANCE = 1e-5
"""Of a score or prediction, and of its size where that is above 1."""
ROUNDING = 4 * float(np.finfo(np.float32).eps)
NUDGES = 40
EXACT = {
    *(
        "sklearn.pipeline",
        "sklearn.compose",
        "sklearn.impute",
        "sklearn.tree",
        "sklearn.ensemble",
        "sklearn.feature_extraction",
    ),
    *("sklearn.preprocessing", "sklearn.utils", "sklearn._loss", "sklearn.dummy"),
}
"""Packages whose estimators leave to trees behind them the very numbers that scikit-learn compares."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class ScoreDifferences:
    """What the rows of two answers differ by.

    ``largest`` is the largest difference of a score or prediction relative to max(1, |score|), and ``labels`` counts other
    labels that are no ties, both on the rows that are not among the next two. Of the rows beyond the tolerance ``steps``
    counts those at a step of the original, and ``rounded`` those on which its own float32 rounds that much.
    """

    largest: float
    labels: int
    steps: int
    rounded: int = 0

    @property
    def beyond(self) -> bool:
        """Whether any row is beyond the tolerance for which the original is no excuse."""
        return self.largest > TOLERANCE or self.labels > 0


def score_differences(
    estimator: Any, feeds: Feeds, schema: Schema, original: Predictions, answer: Predictions
) -> ScoreDifferences:
    """Compare the ``answer`` of a model to the rows in ``feeds`` with the ``original`` one, which ``estimator`` gave.

    A row is at a step where the estimator itself gives the other scores once its numbers are moved by their rounding, as
    isotonic calibration may. It is rounded if the estimator computes in float32 itself, which rounds its scores as much.
    """
    apart = relative(numbers(original), numbers(answer))
    wrong = other_labels(original, answer)
    decided = (
        _decisions(estimator, feeds, schema) if (original.values != answer.values).any() else None
    )
    if decided is not None:  # equal probabilities of unequal decisions are no tie
        wrong = other_labels(replace(original, scores=decided), answer)
    beyond = (apart > TOLERANCE) | wrong
    steps, rounded = np.zeros(len(apart), bool), np.zeros(len(apart), bool)
    rows = np.flatnonzero(beyond)
    if len(rows):
        few = take(feeds, rows)
        if has_steps(estimator):
            steps[rows] = _at_step(estimator, few, schema, numbers(answer)[rows], ~wrong[rows])
            steps[rows] |= _between_neighbours(estimator, original_input(estimator, few, schema))
        elif _computes_in_float32(estimator, few, schema):
            rounded[rows] = ~wrong[rows] & (
                apart[rows] <= TOLERANCE + 2 * _spread(estimator, few, schema)
            )  # of both
    left = ~steps & ~rounded
    return ScoreDifferences(
        float(apart[left].max(initial=0)),
        int((wrong & left).sum()),
        int(steps.sum()),
        int(rounded.sum()),
    )


def _decisions(estimator: Any, feeds: Feeds, schema: Schema) -> NDArray[np.float64] | None:
    """What the estimator decides by, a column a class, where that is more than its probabilities."""
    if schema.task == "regression" or not hasattr(estimator, "decision_function"):
        return None
    rows = original_input(estimator, feeds, schema)
    decided = np.asarray(estimator.decision_function(rows), np.float64).reshape(len(rows), -1)
    return by_class(decided) if decided.shape[1] in (1, len(estimator.classes_)) else None


def numbers(answer: Predictions) -> NDArray[np.float64]:
    """Scores (rows, classes), or predictions (rows, 1)."""
    return (
        answer.values.reshape(-1, 1).astype(np.float64) if answer.scores is None else answer.scores
    )


def relative(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """The largest difference in each row, relative to max(1, |score|): 0 between equal infinities or two NaN.

    Scores of another shape are infinitely far away.
    """
    if one.shape != other.shape:
        return np.full(len(one), np.inf)
    with np.errstate(invalid="ignore"):
        apart = np.abs(one - other) / np.maximum(1, np.abs(one))
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    return np.asarray(np.where(same, 0, np.where(np.isnan(apart), np.inf, apart)).max(axis=1))


def other_labels(original: Predictions, answer: Predictions) -> Flags:
    """Rows with other labels whose two greatest scores are further apart than the tolerance."""
    if original.scores is None:
        return np.zeros(len(original.values), bool)
    first, second = -np.partition(-original.scores, 1, axis=1)[:, :2].T
    with np.errstate(invalid="ignore"):
        tied = first - second <= TOLERANCE * np.maximum(1, np.abs(first))
    return np.asarray((original.values != answer.values) & ~tied)


def has_steps(estimator: Any) -> bool:
    """Whether rounding may become a step in it: isotonic calibration, neighbours, or trees that compare computed numbers."""
    parts = list(parts_of(estimator))
    isotonic = any(
        type(part).__name__ == "IsotonicRegression" or getattr(part, "method", "") == "isotonic"
        for part in parts
    )
    if isotonic or any(hasattr(part, "n_neighbors") for part in parts):
        return True
    trees = any(hasattr(part, "tree_") or hasattr(part, "_predictors") for part in parts)
    return trees and any(
        ".".join(type(part).__module__.split(".")[:2]) not in EXACT for part in parts
    )


def _at_step(
    estimator: Any, feeds: Feeds, schema: Schema, scores: NDArray[np.float64], same_label: Flags
) -> Flags:
    """Whether ``estimator`` gives these scores of nearly these rows; of text, which cannot be moved, whether labels agree."""
    found = (
        np.zeros(len(scores), bool)
        if any(values.dtype.kind == "f" for values in feeds.values())
        else same_label
    )
    for moved in _moved(estimator, feeds, schema):
        found = found | (relative(moved, scores) <= TOLERANCE)
    return found


def _between_neighbours(estimator: Any, rows: Any) -> Flags:
    """Rows of which the last nearest neighbour and the next one are equally near: which counts, no rule of the model says."""
    steps = getattr(estimator, "steps", [("", estimator)])
    model = steps[-1][1]
    if (
        not (hasattr(model, "kneighbors") and getattr(model, "n_neighbors", None))
        or model.n_neighbors >= model.n_samples_fit_
    ):
        return np.zeros(len(rows), bool)
    rows = estimator[:-1].transform(rows) if len(steps) > 1 else rows
    *_, last, following = model.kneighbors(rows, model.n_neighbors + 1)[0].T
    return np.asarray(following - last <= ROUNDING * following)


def _spread(estimator: Any, feeds: Feeds, schema: Schema) -> NDArray[np.float64]:
    """How far the estimator's scores of these rows move with the rounding of their numbers."""
    scores = numbers(predict_original(estimator, feeds, schema))
    return np.asarray(
        np.max([relative(scores, moved) for moved in _moved(estimator, feeds, schema)], axis=0)
    )


def _moved(estimator: Any, feeds: Feeds, schema: Schema) -> Iterator[NDArray[np.float64]]:
    """The estimator's scores of these rows, each number moved by some units of its last place, again and again."""
    random = np.random.default_rng(0)
    for _ in range(NUDGES):
        moved = {
            name: (values * (1 + random.uniform(-ROUNDING, ROUNDING, values.shape))).astype(
                np.float32
            )
            for name, values in feeds.items()
            if values.dtype.kind == "f"
        }
        yield numbers(predict_original(estimator, feeds | moved, schema))


def _computes_in_float32(estimator: Any, feeds: Feeds, schema: Schema) -> bool:
    """Whether the estimator's scores of these rows differ from those of the same rows in float64 by much of the tolerance."""
    rows = original_input(estimator, feeds, schema)
    if isinstance(rows, np.ndarray):
        wide = rows.astype(np.float64) if rows.dtype.kind == "f" else rows
    else:
        wide = rows.astype(
            {name: np.float64 for name, kind in rows.dtypes.items() if kind == np.float32}
        )
    one, other = (numbers(predict_rows(estimator, each, schema)) for each in (rows, wide))
    return bool(relative(one, other).max() > TOLERANCE / 4)
