"""Bins, the index, and what chance gives."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from onnxpress.drift.counting import binned, bins_of, chance, chi2_quantile, counted, psi

NUMBERS = {"kind": "number", "cuts": [1.0, 2.0]}
TEXTS = {"kind": "text", "groups": [["a"], ["b", "c"]]}
LENGTHS = {"kind": "length", "cuts": [3.0]}
counts = st.lists(st.integers(0, 1000), min_size=2, max_size=25)


@pytest.mark.parametrize(
    ("entry", "values", "bins"),
    [
        (NUMBERS, np.array([0, 1, 1.5, 2, 9, np.nan], np.float32), [0, 0, 1, 1, 2, 3]),
        (NUMBERS, np.array([-np.inf, np.inf], np.float32), [0, 2]),
        (NUMBERS, np.array([], np.float32), []),
        (TEXTS, np.array(["a", "c", "b", "d", ""], object), [0, 1, 1, 2, 3]),
        (LENGTHS, np.array(["abc", "abcd", ""], object), [0, 1, 2]),
    ],
)
def test_every_value_has_its_bin(entry: Any, values: Any, bins: list[int]) -> None:
    assert binned(entry, values).tolist() == bins
    assert counted(entry, values).tolist() == np.bincount(bins, minlength=bins_of(entry)).tolist()


@given(counts)
def test_rows_against_themselves_have_an_index_of_zero(rows: list[int]) -> None:
    assert psi(rows, rows) == 0


@given(st.integers(0, 2**32 - 1))
def test_the_order_of_rows_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(1.5, 1, 50).astype(np.float32)
    assert np.array_equal(counted(NUMBERS, values), counted(NUMBERS, rng.permutation(values)))


@given(counts, st.integers(0, 2**32 - 1))
def test_the_index_is_the_divergence_of_jeffreys_in_both_directions(
    rows: list[int], seed: int
) -> None:
    others = np.random.default_rng(seed).integers(1, 1000, len(rows))
    p, q = np.array(rows) + 0.5, others + 0.5
    p, q = p / p.sum(), q / q.sum()
    if not sum(rows):
        return
    divergence = sum(a * math.log(a / b) + b * math.log(b / a) for a, b in zip(p, q, strict=True))
    assert psi(rows, others) == pytest.approx(divergence, abs=1e-12)
    assert psi(rows, others) == pytest.approx(psi(others, rows))


def test_the_index_of_a_published_example() -> None:
    # large counts, where half a row is nothing: shares 10 % and 90 % against 20 % and 80 %
    expected = 0.1 * math.log(2) + 0.1 * math.log(9 / 8)
    assert psi([10**9, 9 * 10**9], [2 * 10**9, 8 * 10**9]) == pytest.approx(expected, rel=1e-6)


@given(counts)
def test_no_row_gives_no_index_and_can_prove_nothing(rows: list[int]) -> None:
    empty = [0] * len(rows)
    assert psi(rows, empty) == 0
    assert chance(rows, empty, 0.01) == math.inf


@given(counts, st.data())
def test_one_row_never_exceeds_chance(rows: list[int], data: Any) -> None:
    one = [0] * len(rows)
    one[data.draw(st.integers(0, len(rows) - 1))] = 1
    if sum(rows) > 0:
        assert psi(rows, one) <= chance(rows, one, 0.01)


@pytest.mark.parametrize("level", [0.01, 0.001, 0.0001])
@pytest.mark.parametrize("free", [1, 2, 5, 10, 21])
def test_the_quantile_is_that_of_scipy(free: int, level: float) -> None:
    assert -0.01 < chi2_quantile(free, level) / chi2.ppf(1 - level, free) - 1 < 0.08


@pytest.mark.parametrize("bins", [4, 10, 20])
@pytest.mark.parametrize("rows", [100, 1000])
def test_without_drift_few_samples_exceed_chance_and_the_mean_is_known(
    bins: int, rows: int
) -> None:
    rng, shares, training = np.random.default_rng(0), np.full(bins, 1 / bins), 1000
    before, now = (rng.multinomial(n, shares, 2000) for n in (training, rows))
    found = [psi(*pair) for pair in zip(before, now, strict=True)]
    beyond = [psi(a, b) > chance(a, b, 0.01) for a, b in zip(before, now, strict=True)]
    mean = (bins - 1) * (1 / training + 1 / rows)  # Yurdakul, 2018
    assert 0.85 * mean < np.mean(found) < 1.1 * mean
    assert np.mean(beyond) < 0.02


def test_a_real_shift_exceeds_chance() -> None:
    assert psi([500, 500], [900, 100]) > max(0.2, chance([500, 500], [900, 100], 0.001))
