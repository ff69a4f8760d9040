"""Differences of scores and predictions relative to their size, and the tolerance for them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxpress.runtime.predictions import Predictions

TOLERANCE = 1e-5
"""Of a score or prediction, and of its size where that is above 1."""

Flags = NDArray[np.bool_]


def numbers(predictions: Predictions) -> NDArray[np.float64]:
    """Return the scores, (rows, classes), or else the predicted numbers, (rows, targets)."""
    if predictions.scores is not None:
        return predictions.scores
    return predictions.values.reshape(-1, predictions.width).astype(np.float64)


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
        return np.full(len(one), np.inf)
    least = max(1.0, _spread(one)) if one.shape[1] == 1 else 1.0
    with np.errstate(invalid="ignore"):
        apart = np.abs(one - other) / np.maximum(least, np.abs(one))
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    apart = np.where(np.isnan(apart), np.inf, apart)
    return np.asarray(np.where(same, 0, apart).max(axis=1))


def _spread(values: NDArray[np.float64]) -> float:
    """Return half the distance between two quantiles: a normal distribution's deviation.

    A few predictions that are far off do not change it.
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 0.0
    low, high = np.quantile(finite, [0.16, 0.84])
    return float(high / 2 - low / 2)


def other_labels(original: Predictions, converted: Predictions) -> Flags:
    """Flag the rows, (rows,), whose labels differ although the original's do not tie.

    Labels tie if the two highest scores are no further apart than the tolerance, or if the row lies
    at the threshold of two classes. A single class ties with nothing.
    """
    if original.scores is None:
        return np.zeros(len(original.values), bool)
    if original.scores.shape[1] == 1:
        return np.asarray(original.values != converted.values)
    first, second = -np.partition(-original.scores, 1, axis=1)[:, :2].T
    with np.errstate(invalid="ignore"):
        tied = first - second <= TOLERANCE * np.maximum(1, np.abs(first))
    tied |= at_threshold(original, converted, TOLERANCE)
    return np.asarray((original.values != converted.values) & ~tied)


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
    labels = np.unique(np.concatenate([one.values, other.values]))
    if scores[0] is None or scores[1] is None or scores[0].shape != scores[1].shape:
        return np.zeros(len(one.values), bool)
    if scores[0].shape[1] != 2 or len(labels) != 2:
        return np.zeros(len(one.values), bool)
    second = np.stack([one.values == labels[1], other.values == labels[1]])
    score = np.stack([scores[0][:, 1], scores[1][:, 1]])
    highest_first = score.max(initial=-np.inf, where=~second & ~np.isnan(score))
    lowest_second = score.min(initial=np.inf, where=second & ~np.isnan(score))
    if not highest_first <= lowest_second + tolerance * max(1, abs(lowest_second)):
        return np.zeros(len(one.values), bool)
    with np.errstate(invalid="ignore"):
        near = np.abs(score[0] - score[1]) <= tolerance * np.maximum(1, np.abs(score[0]))
    return np.asarray((second[0] != second[1]) & near)
