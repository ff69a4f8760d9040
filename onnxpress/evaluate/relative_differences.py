"""Differences of scores and predictions relative to their size, and the tolerance for them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxpress.runtime.predictions import Predictions

TOLERANCE = 1e-5
"""Of a score or prediction, and of its size where that is above 1."""

Flags = NDArray[np.bool_]


def numbers(predictions: Predictions) -> NDArray[np.float64]:
    """Return the scores, (rows, classes), or else the predicted numbers, (rows, 1)."""
    if predictions.scores is not None:
        return predictions.scores
    return predictions.values.reshape(-1, 1).astype(np.float64)


def relative_differences(
    one: NDArray[np.float64], other: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the largest difference in each row, (rows,), relative to max(1, |score|) of ``one``.

    Both arrays are (rows, classes). Equal infinities differ by 0, and so do two NaN. Scores of
    another shape are infinitely far away.
    """
    if one.shape != other.shape:
        return np.full(len(one), np.inf)
    with np.errstate(invalid="ignore"):
        apart = np.abs(one - other) / np.maximum(1, np.abs(one))
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    apart = np.where(np.isnan(apart), np.inf, apart)
    return np.asarray(np.where(same, 0, apart).max(axis=1))


def other_labels(original: Predictions, converted: Predictions) -> Flags:
    """Flag the rows, (rows,), whose labels differ although the original's do not tie.

    Labels tie if the two highest scores are no further apart than the tolerance. A single class
    ties with nothing.
    """
    if original.scores is None:
        return np.zeros(len(original.values), bool)
    if original.scores.shape[1] == 1:
        return np.asarray(original.values != converted.values)
    first, second = -np.partition(-original.scores, 1, axis=1)[:, :2].T
    with np.errstate(invalid="ignore"):
        tied = first - second <= TOLERANCE * np.maximum(1, np.abs(first))
    return np.asarray((original.values != converted.values) & ~tied)
