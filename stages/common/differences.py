"""How far the answers of a model are from the original's: the tolerance that every converted model is held to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.common.models import Answer, ask_original
from stages.common.parts import parts_of
from stages.common.table import Feeds, Schema, take

TOLERANCE = 1e-5
"""Of a score or prediction, and of its size where that is above 1."""
ROUNDING = 4 * float(np.finfo(np.float32).eps)
NUDGES = 40
EXACT = {
    *("sklearn.pipeline", "sklearn.compose", "sklearn.impute", "sklearn.tree", "sklearn.ensemble", "sklearn.feature_extraction"),
    *("sklearn.preprocessing", "sklearn.utils", "sklearn._loss", "sklearn.dummy"),
}
"""Packages whose estimators leave to trees behind them the very numbers that scikit-learn compares."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Differences:
    """What the rows of two answers differ by.

    ``largest`` is the largest difference of a score or prediction relative to max(1, |score|), and ``labels`` counts other
    labels that are no ties, both on the rows that are not at a step; ``steps`` counts the rows beyond the tolerance that are.
    """

    largest: float
    labels: int
    steps: int

    @property
    def beyond(self) -> bool:
        """Whether any row is beyond the tolerance and at no step."""
        return self.largest > TOLERANCE or self.labels > 0


def compare(estimator: Any, feeds: Feeds, schema: Schema, original: Answer, answer: Answer) -> Differences:
    """Compare the ``answer`` of a model to the rows in ``feeds`` with the ``original`` one, which ``estimator`` gave.

    A row is at a step where the estimator itself gives the other scores once its numbers are moved by their rounding, as
    isotonic calibration may.
    """
    apart = relative(numbers(original), numbers(answer))
    wrong = other_labels(original, answer)
    beyond = (apart > TOLERANCE) | wrong
    steps = np.zeros(len(apart), bool)
    if beyond.any() and has_steps(estimator):
        rows = np.flatnonzero(beyond)
        steps[rows] = _at_step(estimator, take(feeds, rows), schema, numbers(answer)[rows], ~wrong[rows])
    return Differences(float(apart[~steps].max(initial=0)), int((wrong & ~steps).sum()), int(steps.sum()))


def numbers(answer: Answer) -> NDArray[np.float64]:
    """Scores (rows, classes), or predictions (rows, 1)."""
    return answer.values.reshape(-1, 1).astype(np.float64) if answer.scores is None else answer.scores


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


def other_labels(original: Answer, answer: Answer) -> Flags:
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
    if any(type(part).__name__ == "IsotonicRegression" or hasattr(part, "n_neighbors") for part in parts):
        return True
    trees = any(hasattr(part, "tree_") or hasattr(part, "_predictors") for part in parts)
    return trees and any(".".join(type(part).__module__.split(".")[:2]) not in EXACT for part in parts)


def _at_step(estimator: Any, feeds: Feeds, schema: Schema, scores: NDArray[np.float64], same_label: Flags) -> Flags:
    """Whether ``estimator`` gives these scores of nearly these rows; of text, which cannot be moved, whether labels agree."""
    moving = {name: values for name, values in feeds.items() if values.dtype.kind == "f"}
    if not moving:
        return same_label
    random = np.random.default_rng(0)
    found = np.zeros(len(scores), bool)
    for _ in range(NUDGES):
        by = {name: 1 + random.uniform(-ROUNDING, ROUNDING, values.shape) for name, values in moving.items()}
        moved = feeds | {name: (values * by[name]).astype(np.float32) for name, values in moving.items()}
        found |= relative(numbers(ask_original(estimator, moved, schema)), scores) <= TOLERANCE
    return found
