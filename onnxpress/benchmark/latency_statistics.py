"""The statistics of the benchmark: timed calls in, numbers out; nothing here reads a clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxpress.models import SPEEDUPS

Milliseconds = NDArray[np.float64]
"""Every timed call of one model at one batch size, shape (rounds, loops), in ms."""

PERCENTILES = (1, 5, 10, 25, 50, 75, 90, 95, 99)
"""Enough to draw how latencies are distributed."""
CONFIDENCE = 0.95
FEWEST_ROUNDS = (
    6  # below, even the whole range covers a median with less than 95 %: 1 - 2 * 0.5**5 = 0.9375
)


@dataclass(frozen=True)
class Summary:
    """Latency of one model at one batch size; percentiles and mean are of single calls."""

    p50_ms: float
    p95_ms: float
    p99_ms: float
    mean_ms: float
    low_ms: float
    high_ms: float
    """Ends of the 95 % interval of the median over rounds."""
    percentiles_ms: dict[int, float]
    relative_mad: float
    """Median absolute deviation of the rounds' values over their median: 0 is perfectly quiet."""
    rounds: int
    loops: int
    calls: int


@dataclass(frozen=True)
class Ratio:
    """How many times faster: median over rounds, its 95 % interval, and whether that interval leaves 1 out."""

    median: float
    low: float
    high: float
    significant: bool


def summarise(timed: Milliseconds) -> Summary:
    """Percentiles of single calls, and the spread between rounds."""
    ms = {
        percent: float(value)
        for percent, value in zip(PERCENTILES, np.percentile(timed, PERCENTILES), strict=True)
    }
    per_round = values(timed)
    low, high = bootstrap_median_interval(per_round)
    middle = float(np.median(per_round))
    mad = float(np.median(np.abs(per_round - middle))) / middle
    rounds, loops = timed.shape
    return Summary(
        ms[50], ms[95], ms[99], float(timed.mean()), low, high, ms, mad, rounds, loops, timed.size
    )


def values(timed: Milliseconds) -> Milliseconds:
    """One value per round, (rounds,): the median of its calls, which a single interruption cannot move."""
    return np.median(timed, axis=1)


def speedups(timed: Mapping[str, Milliseconds]) -> dict[str, Ratio]:
    """The contract's ratios of one batch size, from calls of all models timed in the same rounds."""
    return {
        name: ratio(values(timed[each.slow]), values(timed[each.fast]))
        for name, each in SPEEDUPS.items()
    }


def ratio(numerator: Milliseconds, denominator: Milliseconds) -> Ratio:
    """Median of the ratios within each round, both (rounds,), with its 95 % bootstrap percentile interval.

    With fewer than six rounds no interval reaches 95 %, and nothing is called significant.
    """
    ratios = numerator / denominator
    low, high = bootstrap_median_interval(ratios)
    return Ratio(
        float(np.median(ratios)), low, high, len(ratios) >= FEWEST_ROUNDS and not low <= 1 <= high
    )


def bootstrap_median_interval(sample: NDArray[np.float64]) -> tuple[float, float]:
    """The 95 % bootstrap percentile interval of the median of ``sample``, (n,), as after endless resampling.

    No resampling is needed: a resample of n has as its k-th value the sorted sample at floor(n B), where B is the k-th
    of n uniform variates, distributed as Beta(k, n - k + 1) (Efron 1979, "Bootstrap methods: another look at the
    jackknife", section 3; Maritz and Jarrett 1978). For an even n the interval spans both middle values.
    """
    from scipy.special import betaincinv

    ordered, n = np.sort(sample), len(sample)
    tail = (1 - CONFIDENCE) / 2
    low, high = (n + 1) // 2, n // 2 + 1  # the ranks of the middle value, or of both
    first = int(n * betaincinv(low, n - low + 1, tail))
    last = int(n * betaincinv(high, n - high + 1, 1 - tail))
    return float(ordered[first]), float(ordered[min(last, n - 1)])
