"""The exponent with which a cost grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

VISIBLE = 0.5
"""A cost above that of the smallest size counts from this share of it on; below, it is noise."""


@dataclass(frozen=True)
class Exponent:
    """p of ``cost = start + factor * size ** p``."""

    value: float
    error: float | None
    """Standard error of the slope; None of two points."""


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> Exponent | None:
    """Return the slope of what is above the cost of the smallest size, in logarithms.

    Every process imports for seconds, whatever the size. So the first cost is taken off the others,
    and the first size off the other sizes: of a linear cost the slope is exactly 1. None if the
    cost grows visibly between fewer than two pairs of sizes.
    """
    order = np.argsort(sizes, kind="stable")
    x, y = np.asarray(sizes, float)[order], np.asarray(costs, float)[order]
    x, above = x[1:] - x[0], y[1:] - y[0]
    seen = (above > VISIBLE * y[0]) & (x > 0)
    x, above = np.log(x[seen]), np.log(above[seen])
    if len(np.unique(x)) < 2:
        return None
    slope, start = np.polyfit(x, above, 1)
    if len(x) == 2:
        return Exponent(float(slope), None)
    rest = above - (slope * x + start)
    error = np.sqrt(rest @ rest / (len(x) - 2) / np.sum((x - x.mean()) ** 2))
    return Exponent(float(slope), float(error))
