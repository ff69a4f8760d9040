"""Counts of rows in the bins of a drift profile, and how far two counts are apart.

This file travels with a served model and runs where the rest of the project is not installed. It
imports numpy only.

The population stability index of two counts over the same bins, with the shares p and q, is
``sum((p - q) * ln(p / q))``: Jeffreys' divergence (H. Jeffreys, 1946), which credit scoring calls
PSI (N. Siddiqi, Credit Risk Scorecards, 2006). Without drift it is about
``(1 / n + 1 / m) * chi2(bins - 1)`` for samples of n and m independent rows (B. Yurdakul,
Statistical Properties of Population Stability Index, 2018), so ``(bins - 1) * (1 / n + 1 / m)``
on average: at few rows it is large by chance.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

Entry = Mapping[str, Any]
"""A feature or an output of a profile, as its JSON has it."""
Counts = NDArray[np.int64]
"""Rows in each bin, (bins,)."""

HALF = 0.5
"""What is added to each count, so that an empty bin has a share above 0 (the prior of Jeffreys)."""
NUMBER, LENGTH, TEXT = "number", "length", "text"
"""Kinds of entries: bins of numbers, of the lengths of texts, and of texts."""


def bins_of(entry: Entry) -> int:
    """Return how many bins an entry has.

    Numbers have one per cell and one for missing values; texts one per group, one for unseen ones
    and one for missing ones.
    """
    if entry["kind"] == TEXT:
        return len(entry["groups"]) + 2
    return len(entry["cuts"]) + 2


def binned(entry: Entry, values: NDArray[Any]) -> NDArray[np.intp]:
    """Return the bin of each value, (rows,).

    Infinite numbers are in the first and the last cell, as in the model's own comparisons.
    """
    if entry["kind"] == TEXT:
        known = {text: at for at, group in enumerate(entry["groups"]) for text in group}
        unseen = len(entry["groups"])
        bins = {"": unseen + 1, **known}
        return np.array([bins.get(str(value), unseen) for value in values], np.intp)
    if entry["kind"] == LENGTH:
        lengths = [len(str(value)) for value in values]
        values = np.array([length or np.nan for length in lengths], np.float32)
    numbers = np.asarray(values, np.float32)
    cuts = np.asarray(entry["cuts"], np.float32)
    # cuts 1, 2 and values 1, 1.5, 2, 9, NaN: bins 0, 1, 1, 2 and the last, 3
    places = np.searchsorted(cuts, numbers, side="left")
    places[np.isnan(numbers)] = len(cuts) + 1
    return places


def counted(entry: Entry, values: NDArray[Any]) -> Counts:
    """Return how many values are in each bin, (bins,)."""
    return np.bincount(binned(entry, values), minlength=bins_of(entry)).astype(np.int64)


def psi(expected: Sequence[int] | Counts, found: Sequence[int] | Counts) -> float:
    """Return the population stability index of two counts; 0 if one of them has no row.

    Bins that are empty in both are left out. All others get half a row more.
    """
    one, other = _used(expected, found)
    if not one.sum() or not other.sum():
        return 0.0
    p, q = (counts + HALF for counts in (one, other))
    p, q = p / p.sum(), q / q.sum()
    return float(max(0.0, np.sum((p - q) * np.log(p / q))))


def chance(expected: Sequence[int] | Counts, found: Sequence[int] | Counts, level: float) -> float:
    """Return the index that as many rows without drift stay below, but for the share ``level``.

    The quantile of chi2 is that of E. B. Wilson and M. M. Hilferty (1931): for levels from 0.01
    down to 0.0001 it is up to 8 % above the exact one, and at most 1 % below.
    """
    one, other = _used(expected, found)
    n, m, free = one.sum(), other.sum(), len(one) - 1
    if not n or not m:
        return math.inf
    return chi2_quantile(free, level) * float(1 / n + 1 / m)


def chi2_quantile(free: int, level: float) -> float:
    """Return what chi2 with ``free`` degrees of freedom exceeds with probability ``level``."""
    if free < 1:
        return 0.0
    spread = 2 / (9 * free)
    z = NormalDist().inv_cdf(1 - level)
    return float(free * (1 - spread + z * math.sqrt(spread)) ** 3)


def level_of(profile: Mapping[str, Any]) -> float:
    """Return the level of one entry, so that all together stay below the profile's.

    C. E. Bonferroni (1936).
    """
    entries = len(profile["features"]) + len(profile["predictions"])
    return float(profile["level"]) / max(1, entries)


def _used(
    expected: Sequence[int] | Counts, found: Sequence[int] | Counts
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return both counts without the bins that are empty in both."""
    one, other = np.asarray(expected, np.float64), np.asarray(found, np.float64)
    used = (one + other) > 0
    return one[used], other[used]
