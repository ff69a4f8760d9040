"""How far a converted model's scores are from the original's, and whether that is tolerated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.estimators.layout import original_input
from onnxpress.estimators.predicting import by_class
from onnxpress.evaluate.original_rounding import (
    computes_in_float32,
    has_steps,
    rounding_of_scores,
    rows_at_steps,
)
from onnxpress.evaluate.relative_differences import (
    TOLERANCE,
    Flags,
    at_threshold,
    numbers,
    other_labels,
    relative_differences,
)
from onnxpress.runtime.predictions import Predictions
from onnxpress.tables.mapped import joined, row_by_row, spans, unset
from onnxpress.tables.rows import Feeds, pieces_of, take
from onnxpress.tables.schema import Schema

FAR = 0.01
"""A difference that matters to whoever uses the predictions."""

CONSTANT = 1e-10
"""Predictions that vary by less, relative to their size, are one number, and rounding."""


@dataclass(frozen=True)
class ScoreDifferences:
    """The differences between a converted model and the original on some rows."""

    largest: float
    """Largest difference of a score or prediction, relative to max(1, |score|); ``steps`` and
    ``rounded`` rows aside."""
    labels: int
    """Rows with another label that is not a tie; ``steps`` and ``rounded`` rows aside."""
    steps: int
    """Rows beyond the tolerance that lie at a step of the original."""
    rounded: int = 0
    """Rows beyond the tolerance by no more than the original's own rounding in float32."""
    ties: int = 0
    """Rows with the other label of two that tie for the original within rounding."""
    far: int = 0
    """Rows whose label is wrong, or whose scores are ``FAR`` apart: no rounding explains that. A
    prediction of a regressor is, too, if it is ``FAR`` of their spread away."""

    @property
    def beyond(self) -> bool:
        """Whether a row is beyond the tolerance and the original's rounding does not explain it."""
        return self.largest > TOLERANCE or self.labels > 0


def score_differences(
    estimator: Any, feeds: Feeds, schema: Schema, original: Predictions, converted: Predictions
) -> ScoreDifferences:
    """Compare the predictions of a ``converted`` model with the ``original`` ones of ``estimator``.

    Both are for the rows in ``feeds``. See :mod:`onnxpress.evaluate.original_rounding` for the rows
    that are counted apart.
    """
    apart = relative_differences(numbers(original), numbers(converted))
    wrong = _wrong_labels(estimator, feeds, schema, original, converted)
    steps, rounded = unset(len(apart)), unset(len(apart))
    rows = np.flatnonzero(row_by_row(lambda far, other: (far > TOLERANCE) | other, apart, wrong))
    if len(rows):
        few, same_label = take(feeds, rows), ~wrong[rows]
        if has_steps(estimator):
            scores = numbers(converted)[rows]
            steps[rows] = rows_at_steps(estimator, few, schema, scores, same_label)
        elif computes_in_float32(estimator, few, schema):
            both_round = TOLERANCE + 2 * rounding_of_scores(estimator, few, schema)
            rounded[rows] = same_label & (apart[rows] <= both_round)
    left = row_by_row(lambda one, other: ~(one | other), steps, rounded)
    largest = float(apart.max(initial=0, where=left))
    ties = steps[:0]
    if original.scores is not None:
        labels = original.values, converted.values
        ties = row_by_row(lambda one, other, bad: (one != other) & ~bad, *labels, wrong)
    spread = _far_for_their_spread(schema, original, converted)
    far = row_by_row(
        lambda some, *of: some & (of[0] | (of[1] > FAR) | of[2]), left, wrong, apart, spread
    )
    wrong = row_by_row(np.logical_and, wrong, left)
    counts = (int(np.count_nonzero(flags)) for flags in (wrong, steps, rounded, ties, far))
    return ScoreDifferences(largest, *counts)


def _far_for_their_spread(
    schema: Schema, original: Predictions, converted: Predictions
) -> NDArray[np.bool_]:
    """Flag the rows, (rows,), of regressors: the size of predictions may be far below 1."""
    one, other = numbers(original), numbers(converted)
    if schema.task != "regression" or one.shape != other.shape:
        return unset(len(one))
    with np.errstate(all="ignore"):
        mean, spread, largest = one.mean(axis=0), np.float64(0), np.float64(0)
        for span in spans(len(one)):  # the square of a spread may be below all floats
            spread = np.maximum(spread, np.abs(one[span] - mean).max(axis=0))
            largest = np.maximum(largest, np.abs(one[span]).max(axis=0))
        constant = spread <= CONSTANT * largest
        return row_by_row(
            lambda a, b: np.asarray(((np.abs(a - b) > FAR * spread) & ~constant).any(axis=1)),
            one,
            other,
        )


def _wrong_labels(
    estimator: Any, feeds: Feeds, schema: Schema, original: Predictions, converted: Predictions
) -> Flags:
    """Flag the rows, (rows,), whose labels differ and are no tie.

    Where the estimator decides by more than its probabilities, equal probabilities are no tie.
    """
    if original.scores is None:
        return unset(len(original.values))
    if not row_by_row(np.not_equal, original.values, converted.values).any():
        return unset(len(original.values))
    decided = _decision_scores(estimator, feeds, schema)
    if decided is None:
        return other_labels(original, converted)
    tied = at_threshold(original, converted, TOLERANCE)
    return other_labels(replace(original, scores=decided), converted) & ~tied


def _decision_scores(estimator: Any, feeds: Feeds, schema: Schema) -> NDArray[np.float64] | None:
    """Return what the estimator decides by, (rows, classes); None if it has no such scores."""
    if schema.task == "regression" or not hasattr(estimator, "decision_function"):
        return None

    def decided(piece: Feeds) -> NDArray[np.float64]:
        rows = original_input(estimator, piece, schema)
        found = np.asarray(estimator.decision_function(rows), np.float64)
        return by_class(found.reshape(len(rows), -1))

    size = len(next(iter(feeds.values())))
    (found,) = joined(([decided(piece)] for piece in pieces_of(feeds)), size)
    return found if found.shape[1] == len(estimator.classes_) else None
