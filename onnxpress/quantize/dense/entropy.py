"""How much of a distribution to keep, by the Kullback-Leibler divergence of what 8 bits keep of it.

Migacz, 8-bit Inference with TensorRT (2017), in the variant of onnxruntime's calibration.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

SMOOTHED = 1e-4
"""What an empty bin gets of the others, so that no logarithm is infinite."""


def kept_bins(counts: NDArray[np.int64], steps: int) -> int:
    """Return how many bins to keep at each side of the middle of ``counts`` (bins,).

    At least half of ``steps``, an even number: so many quantised values are compared with the bins.
    What lies further out counts at the ends.
    """
    middle = len(counts) // 2
    below = np.concatenate([[0], np.cumsum(counts)])
    best, least = middle, math.inf
    for half in range(steps // 2, middle + 1):
        start, end = middle - half, min(middle + half + 1, len(counts))
        kept = counts[start:end].copy()
        merged = _merged(kept, steps)
        kept[0] += below[start]
        kept[-1] += below[-1] - below[end]
        divergence = _divergence(kept, _spread(merged, kept))
        if divergence < least:
            best, least = half, divergence
    return best


def _merged(counts: NDArray[np.int64], steps: int) -> NDArray[np.int64]:
    """The bins in ``steps`` groups of one size; the last has the rest too.

    Seven bins in three groups:

    >>> _merged(np.array([1, 2, 3, 4, 5, 6, 7]), 3).tolist()
    [3, 7, 18]
    """
    size = len(counts) // steps
    groups = counts[: steps * size].reshape(steps, size).sum(axis=1)
    groups[-1] += counts[steps * size :].sum()
    return np.asarray(groups)


def _spread(groups: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each group's count shared by its bins that are not empty; 0 behind the last whole group.

    >>> _spread(np.array([3, 7, 18]), np.array([1, 2, 3, 4, 5, 6, 7])).tolist()
    [1, 1, 3, 3, 9, 9, 0]
    """
    size = len(counts) // len(groups)
    filled = (counts[: len(groups) * size] != 0).reshape(-1, size).sum(axis=1)
    shares = np.where(filled > 0, groups // np.maximum(filled, 1), 0)
    spread = np.zeros_like(counts)
    spread[: len(groups) * size] = np.repeat(shares, size)
    return spread


def _divergence(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    """The Kullback-Leibler divergence; infinite where one of them is empty."""
    if not one.any() or not other.any():
        return math.inf
    first, second = _smooth(one), _smooth(other)
    return float((first * np.log(first / second)).sum())


def _smooth(counts: NDArray[np.int64]) -> NDArray[Any]:
    """Shares of the sum, none of them 0."""
    empty = counts == 0
    taken = SMOOTHED * empty.sum() / (~empty).sum()
    values = np.where(empty, SMOOTHED, counts - taken)
    return values / values.sum()
