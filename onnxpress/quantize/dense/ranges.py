"""Ranges of activations: what a model computes for training rows, and how much of it is kept.

Three ways to set a range, from the widest to the narrowest in most nets:

* ``min-max``: all values;
* ``percentile``: all but 0.01 % of them at each end;
* ``entropy``: the range whose 128 steps keep most of the distribution
  (:mod:`onnxpress.quantize.dense.entropy`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from enum import StrEnum
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxpress.quantize.dense.entropy import kept_bins
from onnxpress.quantize.dense.int8_layers import Range
from onnxpress.runtime.sessions import open_session
from onnxpress.tables.rows import Feeds, Rows, take

MOST_ROWS = 1000
"""Rows that are run; they are taken from the whole table, for it may be sorted."""

BATCH = 100
BINS = 2048
ENTROPY_BINS = 128
TAIL = 1e-4
"""The share of values that ``percentile`` cuts off at each end."""

GRID_BITS = 10
"""Ranges are widened to so many bits.

Sums in float32 differ in their last bits between CPUs, and the model should not.
"""


class Calibration(StrEnum):
    """How ranges are set."""

    MIN_MAX = "min-max"
    PERCENTILE = "percentile"
    ENTROPY = "entropy"


def calibration_feeds(rows: Rows) -> Feeds:
    """Take up to ``MOST_ROWS`` rows, evenly."""
    size = min(len(rows), MOST_ROWS)
    return take(rows.feeds, np.linspace(0, len(rows) - 1, size).astype(np.intp))


def ranges(
    model: onnx.ModelProto, names: Collection[str], feeds: Feeds
) -> dict[Calibration, dict[str, Range]]:
    """Return the ranges of the float32 values ``names``, by each calibration."""
    ends: dict[str, tuple[float, float]] = dict.fromkeys(names, (0.0, 0.0))
    for name, values in _computed(model, names, feeds):
        low, high = ends[name]
        finite = values[np.isfinite(values)]
        least, most = finite.min(initial=0), finite.max(initial=0)
        ends[name] = min(low, float(least)), max(high, float(most))
    counts = {name: np.zeros(BINS, np.int64) for name in names}
    for name, values in _computed(model, names, feeds):
        counts[name] += np.histogram(values, _edges(ends[name]))[0]
    return {
        Calibration.MIN_MAX: {name: _widened(*ends[name]) for name in names},
        Calibration.PERCENTILE: {name: _percentile(counts[name], ends[name]) for name in names},
        Calibration.ENTROPY: {name: _entropy(counts[name], ends[name]) for name in names},
    }


def channel_peaks(
    model: onnx.ModelProto, names: Collection[str], feeds: Feeds
) -> dict[str, NDArray[np.float32]]:
    """Return the greatest magnitude of each channel of the values ``names``, (channels,)."""
    peaks: dict[str, NDArray[np.float32]] = {}
    for name, values in _computed(model, names, feeds):
        sizes = np.nan_to_num(np.abs(values)).max(axis=(0, *range(2, values.ndim)))
        peaks[name] = np.maximum(peaks.get(name, sizes), sizes)
    return peaks


def _computed(
    model: onnx.ModelProto, names: Collection[str], feeds: Feeds
) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield each value, a batch of rows at a time."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    given = {value.name for value in (*copy.graph.input, *copy.graph.output)}
    copy.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in given)
    session = open_session(copy.SerializeToString())
    asked = [name for name in names if name not in feeds]
    size = len(next(iter(feeds.values())))
    for start in range(0, size, BATCH):
        batch = take(feeds, np.arange(start, min(start + BATCH, size)))
        found = dict(zip(asked, session.run(asked, batch), strict=True)) if asked else {}
        for name in names:
            yield name, batch[name] if name in batch else found[name]


def _edges(ends: tuple[float, float]) -> NDArray[np.float64]:
    """The edges of bins, symmetric around zero."""
    bound = max(-ends[0], ends[1], float(np.finfo(np.float32).tiny))
    return np.linspace(-bound, bound, BINS + 1)


def _percentile(counts: NDArray[np.int64], ends: tuple[float, float]) -> Range:
    edges, below = _edges(ends), np.cumsum(counts)
    first = int(np.searchsorted(below, TAIL * below[-1], side="right"))
    last = int(np.searchsorted(below, (1 - TAIL) * below[-1]))
    return _widened(max(ends[0], edges[first]), min(ends[1], edges[last + 1]))


def _entropy(counts: NDArray[np.int64], ends: tuple[float, float]) -> Range:
    edges, half = _edges(ends), kept_bins(counts, ENTROPY_BINS)
    low, high = edges[BINS // 2 - half], edges[min(BINS // 2 + half + 1, BINS)]
    return _widened(max(ends[0], float(low)), min(ends[1], float(high)))


def _widened(low: float, high: float) -> Range:
    """The range with zero in it and ends of ``GRID_BITS`` bits, away from zero.

    >>> _widened(0.5, 1.0009)
    (0.0, 1.001953125)
    """
    return 0.0 - _upwards(max(-low, 0.0)), _upwards(max(high, 0.0))


def _upwards(value: float) -> float:
    fraction, exponent = np.frexp(value)
    return float(np.ldexp(np.ceil(fraction * 2**GRID_BITS) / 2**GRID_BITS, exponent))
