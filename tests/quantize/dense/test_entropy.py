"""Ranges by entropy, held against onnxruntime's own calibration."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from onnxruntime.quantization.calibrate import HistogramCollector

from onnxpress.quantize.dense.entropy import kept_bins

RANDOM = np.random.default_rng(0)
BINS, STEPS = 2048, 128

VALUES: dict[str, NDArray[np.float64]] = {
    "normal": RANDOM.normal(size=50_000),
    "heavy tails": RANDOM.standard_t(2, size=50_000),
    "behind a Relu": np.maximum(RANDOM.normal(size=50_000), 0),
    "skewed": RANDOM.exponential(size=50_000) ** 2,
    "few": RANDOM.normal(size=20),
    "of one value": np.ones(10),
}


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_a_range_is_the_one_of_onnxruntime(values: NDArray[np.float64]) -> None:
    bound = np.abs(values).max()
    edges = np.linspace(-bound, bound, BINS + 1)
    counts = np.histogram(values, edges)[0]
    collector = HistogramCollector("entropy", True, BINS, STEPS, 100, "same")
    histogram = counts, edges, -bound, bound, bound
    low, high, *_ = collector.get_entropy_threshold(histogram, STEPS)
    half = kept_bins(counts, STEPS)
    assert edges[BINS // 2 - half] == low
    assert edges[min(BINS // 2 + half + 1, BINS)] == high


def test_a_tail_is_cut() -> None:
    values = np.r_[RANDOM.normal(size=100_000), 1000.0]
    counts = np.histogram(values, np.linspace(-1000, 1000, BINS + 1))[0]
    assert kept_bins(counts, STEPS) < BINS // 8
