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
FEWEST_ROUNDS = 6
"""Even the whole range of five covers the median with 1 - 2 * 0.5**5, which is below 95 %."""


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
    """How many times faster one model is than another."""

    median: float
    """Over rounds."""
    low: float
    high: float
    """Ends of its 95 % interval."""
    significant: bool
    """Whether that interval leaves 1 out."""


def summarise(timed: Milliseconds) -> Summary:
    """Return percentiles of single calls, and the spread between rounds."""
    found = np.percentile(timed, PERCENTILES)
    ms = {percent: float(value) for percent, value in zip(PERCENTILES, found, strict=True)}
    per_round = values(timed)
    low, high = bootstrap_median_interval(per_round)
    middle = float(np.median(per_round))
    mad = float(np.median(np.abs(per_round - middle))) / middle
    rounds, loops = timed.shape
    return Summary(
        ms[50], ms[95], ms[99], float(timed.mean()), low, high, ms, mad, rounds, loops, timed.size
    )


def values(timed: Milliseconds) -> Milliseconds:
    """Return one value per round, (rounds,): the median of its calls.

    A single interruption cannot move it.
    """
    return np.median(timed, axis=1)


def speedups(timed: Mapping[str, Milliseconds]) -> dict[str, Ratio]:
    """Return the published ratios, by key, of models whose calls were timed in the same rounds."""
    per_round = {name: values(calls) for name, calls in timed.items()}
    return {key: ratio(per_round[s.slow], per_round[s.fast]) for key, s in SPEEDUPS.items()}


def ratio(numerator: Milliseconds, denominator: Milliseconds) -> Ratio:
    """Return the median of the ratios within each round, both (rounds,), with its 95 % interval.

    With fewer than six rounds no interval reaches 95 %, and nothing is called significant.
    """
    ratios = numerator / denominator
    low, high = bootstrap_median_interval(ratios)
    significant = len(ratios) >= FEWEST_ROUNDS and not low <= 1 <= high
    return Ratio(float(np.median(ratios)), low, high, significant)


def bootstrap_median_interval(sample: NDArray[np.float64]) -> tuple[float, float]:
    """Return the 95 % bootstrap percentile interval of the median of ``sample``, (n,).

    It is the one after endless resampling, but no resampling is needed: the k-th value of a
    resample of n is the sorted sample at floor(n B), where B is the k-th of n uniform variates,
    distributed as Beta(k, n - k + 1) (Efron 1979, "Bootstrap methods: another look at the
    jackknife", section 3; Maritz and Jarrett 1978). For an even n the interval spans both middle
    values.
    """
    from scipy.special import betaincinv

    ordered, n = np.sort(sample), len(sample)
    tail = (1 - CONFIDENCE) / 2
    low, high = (n + 1) // 2, n // 2 + 1  # the ranks of the middle value, or of both
    first = int(n * betaincinv(low, n - low + 1, tail))
    last = int(n * betaincinv(high, n - high + 1, 1 - tail))
    return float(ordered[first]), float(ordered[min(last, n - 1)])
