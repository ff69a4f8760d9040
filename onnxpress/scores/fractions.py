"""Scores of more rows than memory holds that are neither ranks nor a mean over the rows.

As in :mod:`onnxpress.scores.curves`, they are scikit-learn's to the last bit: what each row adds
lies in a mapped file, and numpy adds it up in the same order.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.limits import pinball_quantile
from onnxpress.tables.mapped import copy_of, finite, row_by_row, spans

Floats = NDArray[np.float64]


def number_score(name: str, target: Floats, values: Floats) -> float:
    """Return the score of scikit-learn's scorer ``name``; NaN where it is undefined.

    Args:
        name: of a scorer of numbers: a key of :data:`OF_NUMBERS`, or a pinball loss.
        target: what is right, (rows,) or (rows, targets).
        values: the predictions, of the same shape.
    """
    if not finite(values):
        return math.nan
    truth, values = (each.reshape(len(each), -1) for each in (target, values))
    quantile = pinball_quantile(name)
    with np.errstate(all="ignore"):
        if quantile is not None:
            of_targets = -_mean_pinball(truth, values, quantile)
        else:
            of_targets = OF_NUMBERS[name](truth, values)
        return float(np.average(of_targets))


def _root_mean_squares(truth: Floats, values: Floats) -> Floats:
    squares = row_by_row(lambda one, other: (one - other) ** 2, truth, values)
    return np.asarray(-np.sqrt(squares.mean(axis=0)))


def _root_mean_squared_logs(truth: Floats, values: Floats) -> Floats:
    if min(each[span].min() for each in (truth, values) for span in spans(len(each))) <= -1:
        return np.full(1, np.nan)
    return _root_mean_squares(row_by_row(np.log1p, truth), row_by_row(np.log1p, values))


def _median_distance(truth: Floats, values: Floats) -> Floats:
    apart = row_by_row(lambda one, other: np.abs(other - one), truth, values)
    return -_medians(apart)


def _largest_distance(truth: Floats, values: Floats) -> Floats:
    apart = row_by_row(lambda one, other: np.abs(one - other), truth, values)
    return np.asarray(-apart.max(axis=0))


def _explained_variance(truth: Floats, values: Floats) -> Floats:
    errors = row_by_row(np.subtract, truth, values)
    return _explained(_variances(errors), _variances(truth))


def _explained_distance(truth: Floats, values: Floats) -> Floats:
    medians = np.broadcast_to(_medians(truth), truth.shape)
    return _explained(_mean_pinball(truth, values, 0.5), _mean_pinball(truth, medians, 0.5))


OF_NUMBERS: dict[str, Callable[[Floats, Floats], Floats]] = {
    "d2_absolute_error_score": _explained_distance,
    "explained_variance": _explained_variance,
    "neg_max_error": _largest_distance,
    "neg_median_absolute_error": _median_distance,
    "neg_root_mean_squared_error": _root_mean_squares,
    "neg_root_mean_squared_log_error": _root_mean_squared_logs,
}


def _variances(values: Floats) -> Floats:
    mean = values.mean(axis=0)
    return np.asarray(row_by_row(lambda part: (part - mean) ** 2, values).mean(axis=0))


def _medians(values: Floats) -> Floats:
    return np.array([np.median(copy_of(column), overwrite_input=True) for column in values.T])


def _mean_pinball(truth: Floats, values: Floats, quantile: float) -> Floats:
    def losses(truth: Floats, values: Floats) -> Floats:
        apart = truth - values
        above = (apart >= 0).astype(np.float64)
        return np.asarray(quantile * above * apart - (1 - quantile) * (1 - above) * apart)

    return np.asarray(row_by_row(losses, truth, values).mean(axis=0))


def _explained(left: Floats, whole: Floats) -> Floats:
    """Return 1 less the share of ``whole`` that is left, (targets,): 1 of 0 of 0, 0 of 1 of 0."""
    shares = 1 - left / np.where(whole, whole, 1.0)
    return np.where(left == 0, 1.0, np.where(whole == 0, 0.0, shares))


def probability_score(name: str, codes: NDArray[np.int64], probabilities: Floats) -> float:
    """Return the D2 score of log loss or Brier score: scikit-learn's scorer ``name``.

    Args:
        name: a key of :data:`OF_PROBABILITIES`.
        codes: the class of each row, from 0, (rows,).
        probabilities: (rows, classes), each in [0, 1].
    """
    total, losses = OF_PROBABILITIES[name]
    n_classes = probabilities.shape[1]
    if n_classes == 2:  # as scikit-learn, which is given the second alone
        probabilities = row_by_row(_both, probabilities)
    shares = np.bincount(codes, minlength=n_classes) / len(codes)
    always = losses(np.arange(n_classes), np.tile(shares, (n_classes, 1)))
    left = total(row_by_row(losses, codes, probabilities))
    return float(1 - left / total(row_by_row(lambda part: always[part], codes)))


def _both(probabilities: Floats) -> Floats:
    return np.stack((1 - probabilities[:, 1], probabilities[:, 1]), axis=1)


def _log_losses(codes: NDArray[np.int64], probabilities: Floats) -> Floats:
    from scipy.special import xlogy

    rounding = np.finfo(np.float64).eps
    right = probabilities[np.arange(len(codes)), codes]
    return np.asarray(-xlogy(1.0, np.clip(right, rounding, 1 - rounding)))


def _squares(codes: NDArray[np.int64], probabilities: Floats) -> Floats:
    right = np.eye(probabilities.shape[1])[codes]
    return np.asarray(((right - probabilities) ** 2).sum(axis=1))


Losses = Callable[[NDArray[np.int64], Floats], Floats]

OF_PROBABILITIES: dict[str, tuple[Callable[[Floats], Any], Losses]] = {
    "d2_brier_score": (np.mean, _squares),
    "d2_log_loss_score": (np.sum, _log_losses),
}
