"""Agreement of two models: the share of rows that they predict alike, and how far they differ."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from onnxpress.runtime.predictions import Predictions, in_any_column
from onnxpress.scores.losses import Limit
from onnxpress.tables.column_types import Task
from onnxpress.tables.mapped import row_by_row


def label_agreement(original: Predictions, other: Predictions) -> float:
    """Return the share of rows for which two classifiers predict the same label, in [0, 1]."""
    return float(np.mean(row_by_row(np.equal, original.values, other.values)))


def share_within(original: Predictions, other: Predictions, limit: Limit) -> float:
    """Return the share of rows whose predicted numbers differ by at most ``limit``, in [0, 1].

    Of several targets, each of a row's numbers has to. Two NaN are equal, and so are two infinities
    of one sign.
    """
    return float(np.mean(_near(original, other, limit)))


def count_disagreeing(task: Task, original: Predictions, other: Predictions, limit: Limit) -> int:
    """Return on how many rows labels differ, or numbers by more than ``limit``."""
    if task == "classification":
        return int(np.count_nonzero(row_by_row(np.not_equal, original.values, other.values)))
    return int(np.count_nonzero(~_near(original, other, limit)))


def _near(original: Predictions, other: Predictions, limit: Limit) -> NDArray[np.bool_]:
    def near(values: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.bool_]:
        each = np.isclose(others, values, rtol=0, atol=limit, equal_nan=True)
        return ~in_any_column(~each)

    return row_by_row(near, original.values, other.values)


def largest_difference(original: Predictions, other: Predictions) -> float:
    """Return the largest absolute difference of two regressors, in the unit of a target."""
    return _largest(original.values, other.values)


def largest_score_difference(original: Predictions, other: Predictions) -> float:
    """Return the largest absolute difference of a probability or decision score.

    It is NaN if one model has no scores, or scores of another shape.
    """
    if original.scores is None or other.scores is None:
        return math.nan
    if original.scores.shape != other.scores.shape:
        return math.nan
    return _largest(original.scores, other.scores)


def _largest(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    apart = row_by_row(
        lambda a, b: np.abs(a - b).reshape(len(a), -1).max(axis=1, initial=0), one, other
    )
    return float(np.max(apart))
