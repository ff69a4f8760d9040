"""The three losses of refined forests: what summed leaf values mean, and how wrong they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Loss:
    """Functions of scores ``z`` and targets ``y``, both (rows, columns).

    The loss is convex in ``z`` with the slope ``mean(z) - y``.
    """

    name: str
    mean: Callable[[Matrix], Matrix]  # the target that scores z stand for, (rows, columns)
    start: Callable[[Matrix], Matrix]  # scores from a mean target, (columns,) -> (columns,)
    value: Callable[[Matrix, Matrix], float]  # summed over rows
    curvature: Callable[[Matrix], Matrix]  # diagonal second derivative at a mean, (rows, columns)
    ridge_rows: float  # how many rows a leaf's ridge is worth when all leaves are fitted together


def _sigmoid(z: Matrix) -> Matrix:
    return 0.5 + 0.5 * np.tanh(0.5 * z)


def _softmax(z: Matrix) -> Matrix:
    power = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray(power / power.sum(axis=1, keepdims=True))


def _log_sum_exp(z: Matrix) -> Matrix:
    top = z.max(axis=1, keepdims=True)
    return np.asarray(top + np.log(np.exp(z - top).sum(axis=1, keepdims=True)))


def _bernoulli(p: Matrix) -> Matrix:
    return np.maximum(p * (1 - p), 1e-3)


SQUARED = Loss(
    "squared",
    lambda z: z,
    lambda y: y,
    lambda z, y: float(0.5 * np.square(z - y).sum()),
    np.ones_like,
    100.0,  # predictions of a regression forest carry more of the noise of its training rows
)
LOGISTIC = Loss(
    "logistic",
    _sigmoid,
    lambda y: np.asarray(np.log(y / (1 - y))),
    lambda z, y: float((np.logaddexp(0, z) - y * z).sum()),
    _bernoulli,
    40.0,
)
SOFTMAX = Loss(
    "softmax",
    _softmax,
    lambda y: np.asarray(np.log(y)),
    lambda z, y: float(_log_sum_exp(z).sum() - (y * z).sum()),
    _bernoulli,
    40.0,
)
