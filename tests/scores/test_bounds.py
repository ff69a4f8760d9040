"""Exact bounds, held against scipy's interval and against the binomial sum itself."""

from __future__ import annotations

import math

import pytest
from scipy.stats import binomtest

from onnxpress.scores.bounds import rows_needed, upper_bound

CASES = [(0, 1), (0, 30), (0, 299), (1, 30), (3, 7), (29, 30), (17, 1000), (0, 200_000), (30, 30)]


@pytest.mark.parametrize(("count", "rows"), CASES)
@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.99])
def test_the_bound_is_scipys(count: int, rows: int, confidence: float) -> None:
    """The two-sided interval of level 2c - 1 has the one-sided bound of level c at its end."""
    test = binomtest(count, rows, alternative="less")
    interval = test.proportion_ci(confidence_level=confidence, method="exact")
    assert upper_bound(count, rows, confidence) == pytest.approx(interval.high, abs=1e-12)


@pytest.mark.parametrize(("count", "rows"), [(0, 5), (2, 9), (7, 8), (1, 40)])
def test_as_few_are_seen_in_one_of_twenty_draws_if_the_share_is_the_bound(
    count: int, rows: int
) -> None:
    share = upper_bound(count, rows)
    chance = sum(
        math.comb(rows, k) * share**k * (1 - share) ** (rows - k) for k in range(count + 1)
    )
    assert chance == pytest.approx(0.05)


def test_without_rows_or_with_all_of_them_the_bound_is_one() -> None:
    assert upper_bound(0, 0) == upper_bound(4, 4) == 1


@pytest.mark.parametrize("share", [0.5, 0.1, 0.05, 0.01, 0.001, 1e-6])
def test_the_rows_needed_are_the_fewest_that_prove_a_share(share: float) -> None:
    rows = rows_needed(share)
    assert (1 - share) ** rows <= 0.05
    assert rows == 1 or (1 - share) ** (rows - 1) > 0.05
    assert upper_bound(0, rows) <= share * (1 + 1e-12)


def test_one_hundredth_needs_299_rows() -> None:
    assert rows_needed(0.01) == 299


@pytest.mark.parametrize(
    ("count", "rows", "confidence"), [(-1, 3, 0.95), (4, 3, 0.95), (0, 3, 1.0), (0, 3, 0.0)]
)
def test_impossible_counts_and_confidences_are_refused(
    count: int, rows: int, confidence: float
) -> None:
    with pytest.raises(ValueError, match="should be"):
        upper_bound(count, rows, confidence)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, math.nan])
def test_an_impossible_share_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match=r"share should be inside \(0, 1\)"):
        rows_needed(share)
