"""Differences of scores and predictions relative to their size, and the tolerance for them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.runtime.predictions import Predictions
from onnxpress.tables.mapped import different, row_by_row, spans, unset, where

TOLERANCE = 1e-5
"""Of a score or prediction, and of its size where that is above 1."""

Flags = NDArray[np.bool_]


def numbers(predictions: Predictions) -> NDArray[np.float64]:
    """Return the scores, (rows, classes), or else the predicted numbers, (rows, targets)."""
    if predictions.scores is not None:
        return predictions.scores
    return predictions.values.reshape(-1, predictions.width).astype(np.float64, copy=False)


def relative_differences(
    one: NDArray[np.float64], other: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the largest difference in each row, (rows,), relative to max(1, |score|) of ``one``.

    A column alone holds a regressor's predictions. Theirs are relative to their spread where that
    is greater: a sum of terms of 1,000 that is 0.1 by chance is rounded as the terms are.

    Both arrays are (rows, classes). Equal infinities differ by 0, and so do two NaN. Scores of
    another shape are infinitely far away.
    """
    if one.shape != other.shape:
        return row_by_row(lambda part: np.full(len(part), np.inf), one)
    least = max(1.0, _spread(one)) if one.shape[1] == 1 else 1.0

    def largest(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(invalid="ignore"):
            apart = np.abs(one - other) / np.maximum(least, np.abs(one))
        same = (one == other) | (np.isnan(one) & np.isnan(other))
        apart = np.where(np.isnan(apart), np.inf, apart)
        return np.asarray(np.where(same, 0, apart).max(axis=1))

    return row_by_row(largest, one, other)


def _spread(values: NDArray[np.float64]) -> float:
    """Return half the distance between two quantiles: a normal distribution's deviation.

    A few predictions that are far off do not change it.
    """
    flat = values.reshape(-1)
    finite = where(flat, row_by_row(np.isfinite, flat))
    if not len(finite):
        return 0.0
    low, high = np.quantile(finite, [0.16, 0.84], overwrite_input=True)
    return float(high / 2 - low / 2)


def other_labels(original: Predictions, converted: Predictions) -> Flags:
    """Flag the rows, (rows,), whose labels differ although the original's do not tie.

    Labels tie if the two highest scores are no further apart than the tolerance, or if the row lies
    at the threshold of two classes. A single class ties with nothing.
    """
    if original.scores is None:
        return unset(len(original.values))
    if original.scores.shape[1] == 1:
        return row_by_row(np.not_equal, original.values, converted.values)
    tied = row_by_row(_two_highest_tie, original.scores)
    tied |= at_threshold(original, converted, TOLERANCE)
    return row_by_row(
        lambda one, other, tie: (one != other) & ~tie, original.values, converted.values, tied
    )


def _two_highest_tie(scores: NDArray[np.float64]) -> Flags:
    first, second = -np.partition(-scores, 1, axis=1)[:, :2].T
    with np.errstate(invalid="ignore"):
        return np.asarray(first - second <= TOLERANCE * np.maximum(1, np.abs(first)))


def at_threshold(one: Predictions, other: Predictions, tolerance: float) -> Flags:
    """Flag the rows, (rows,), with another label since one threshold lies between equal scores.

    A classifier with a threshold of its own (scikit-learn's FixedThresholdClassifier) gives the
    second of two classes to a score from there on, be that the greater of the two or not. Rows are
    flagged if a single threshold explains the labels of both models, and the scores of the row are
    no further apart than ``tolerance``. With scores of the second class

        one    0.1 first   0.2000000 second   0.3 second
        other  0.1 first   0.1999999 first    0.3 second

    any threshold near 0.2 explains all labels, so the middle row lies at it.
    """
    scores = [each.scores for each in (one, other)]
    labels = different(one.values, other.values)
    if scores[0] is None or scores[1] is None or scores[0].shape != scores[1].shape:
        return unset(len(one.values))
    if scores[0].shape[1] != 2 or len(labels) != 2:
        return unset(len(one.values))
    highest_first, lowest_second = -np.inf, np.inf
    for span in spans(len(one.values)):
        second = np.stack([one.values[span] == labels[1], other.values[span] == labels[1]])
        score = np.stack([each[span, 1] for each in scores if each is not None])
        there = ~np.isnan(score)
        highest_first = score.max(initial=highest_first, where=~second & there)
        lowest_second = score.min(initial=lowest_second, where=second & there)
    if not highest_first <= lowest_second + tolerance * max(1, abs(lowest_second)):
        return unset(len(one.values))

    def flags(*parts: NDArray[Any]) -> Flags:
        with np.errstate(invalid="ignore"):
            apart = np.abs(parts[2][:, 1] - parts[3][:, 1])
            near = apart <= tolerance * np.maximum(1, np.abs(parts[2][:, 1]))
        return np.asarray((parts[0] != parts[1]) & near)

    return row_by_row(flags, one.values, other.values, scores[0], scores[1])
