"""Exact bounds on a share of rows.

Clopper and Pearson, The use of confidence or fiducial limits illustrated in the case of the
binomial, Biometrika 26 (1934).
"""

from __future__ import annotations

import math

CONFIDENCE = 0.95


def upper_bound(count: int, rows: int, confidence: float = CONFIDENCE) -> float:
    """Return the upper bound on a share of which ``count`` of ``rows`` rows were seen, one-sided.

    The chance of so few is at least ``1 - confidence`` for every share up to the bound. 1 without
    rows.

    Raises:
        ValueError: ``count`` is not between 0 and ``rows``, or ``confidence`` not inside (0, 1).
    """
    from scipy.stats import beta

    if not 0 <= count <= rows:
        raise ValueError(f"count should be from 0 to rows={rows}, got {count}")
    _check_share(confidence, "confidence")
    if count == rows:
        return 1.0
    return float(beta.ppf(confidence, count + 1, rows - count))


def lower_bound(count: int, rows: int, confidence: float = CONFIDENCE) -> float:
    """Return the lower bound on a share of which ``count`` of ``rows`` rows were seen, one-sided.

    The chance of so many is at least ``1 - confidence`` for every share from the bound on. 0
    without rows.

    Raises:
        ValueError: ``count`` is not between 0 and ``rows``, or ``confidence`` not inside (0, 1).
    """
    return 1 - upper_bound(rows - count, rows, confidence)


def rows_needed(share: float, confidence: float = CONFIDENCE) -> int:
    """Return how many rows without a single case prove that the share is at most ``share``.

    299 for 0.01: 0.99 ** 299 is below 0.05, 0.99 ** 298 is not.

    Raises:
        ValueError: ``share`` or ``confidence`` is not inside (0, 1).
    """
    _check_share(share, "share")
    _check_share(confidence, "confidence")
    return max(1, math.ceil(math.log1p(-confidence) / math.log1p(-share)))


def _check_share(value: float, name: str) -> None:
    if not 0 < value < 1:
        raise ValueError(f"{name} should be inside (0, 1), got {value}")
