"""The statistics find the known ratios of drawn latencies."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from onnxpress.benchmark.latency_statistics import (
    bootstrap_median_interval,
    ratio,
    speedups,
    summarise,
)
from tests.support.latencies import noisy


def test_a_model_twice_as_slow_has_a_significant_ratio_around_two() -> None:
    found = ratio(2 * noisy(1, 400)[:, 0], noisy(2, 400)[:, 0])
    assert found.significant
    assert found.low < 2 < found.high
    assert found.median == pytest.approx(2, rel=0.05)


def test_the_interval_of_equally_fast_models_misses_one_in_five_percent_at_most() -> None:
    missed = sum(
        ratio(noisy(seed, 60)[:, 0], noisy(10_000 + seed, 60)[:, 0]).significant
        for seed in range(400)
    )
    assert missed <= stats.binom.ppf(0.999, 400, 0.05)


@pytest.mark.parametrize("n", [21, 50, 201])
def test_the_interval_is_the_one_that_resampling_finds(n: int) -> None:
    sample = noisy(n, n)[:, 0]
    resampled = stats.bootstrap(
        (sample,), np.median, method="percentile", n_resamples=9999, rng=0
    ).confidence_interval
    ordered = np.sort(sample)
    for ours, theirs in zip(bootstrap_median_interval(sample), resampled, strict=True):
        assert abs(np.searchsorted(ordered, ours) - np.searchsorted(ordered, theirs)) <= 1


@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_interval_of_very_few_values_stays_within_them(n: int) -> None:
    sample = np.arange(1.0, n + 1)
    low, high = bootstrap_median_interval(sample)
    assert 1 <= low <= np.median(sample) <= high <= n


def test_five_rounds_are_too_few_to_call_anything_significant() -> None:
    assert not ratio(np.full(5, 9.0), np.ones(5)).significant
    assert ratio(np.full(6, 9.0), np.ones(6)).significant


def test_noise_that_hits_a_whole_round_leaves_the_ratio_alone() -> None:
    machine = np.random.default_rng(0).uniform(1, 10, 100)
    assert ratio(3 * machine, machine).low == pytest.approx(3)


def test_one_interrupted_call_in_a_round_does_not_move_the_ratio() -> None:
    calls = np.ones((20, 5))
    calls[:, 0] = 100.0
    assert (
        speedups({"original": calls, "onnx": np.ones((20, 5)), "quantized": np.ones((20, 5))})[
            "onnx_speedup"
        ].median
        == 1
    )


def test_percentiles_are_of_single_calls() -> None:
    found = summarise(np.arange(1.0, 101.0).reshape(10, 10))
    assert (found.p50_ms, found.p95_ms, found.p99_ms, found.mean_ms) == pytest.approx(
        (50.5, 95.05, 99.01, 50.5)
    )
    assert (found.rounds, found.loops, found.calls) == (10, 10, 100)
    assert found.percentiles_ms[25] == pytest.approx(25.75)
    per_round = np.arange(5.5, 100, 10)  # the medians of ten rounds
    resampled = stats.bootstrap(
        (per_round,), np.median, method="percentile", n_resamples=9999, rng=0
    ).confidence_interval
    assert (found.low_ms, found.high_ms) == pytest.approx(tuple(resampled), abs=10)
