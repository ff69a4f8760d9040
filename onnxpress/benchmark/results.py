"""What the benchmark found, in the three forms it is told: flat metrics, details, and lines to read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from onnxpress.benchmark.latency_statistics import Ratio, Summary, speedups, summarise
from onnxpress.benchmark.measure import Timed
from onnxpress.models import TIMED

UNSTABLE = 0.1
"""Relative median absolute deviation between rounds from which a measurement is called unstable."""
CROWDED = 0.9
"""Share of a core below which other programs were in the way."""


class Batch:
    """Summaries and speed-ups of one batch size."""

    def __init__(self, rows: int, timed: Timed) -> None:
        """Compute both once from all timed calls."""
        self.rows = rows
        self.models: dict[str, Summary] = {name: summarise(calls) for name, calls in timed.items()}
        self.speedups: dict[str, Ratio] = speedups(timed)

    def to_json(self) -> dict[str, Any]:
        """What latency_detail.json says of this batch size."""
        return {
            "models": {name: asdict(summary) for name, summary in self.models.items()},
            "speedups": {name: asdict(ratio) for name, ratio in self.speedups.items()},
        }


def latency(
    batches: Mapping[int, Batch], default_rows: int, batch_sizes: list[int]
) -> dict[str, float]:
    """The content of latency.json: medians in ms and speed-ups, flat, under the contract's names.

    A speed-up is the median of the ratios within rounds; on a noisy machine it is not the ratio of the two medians.
    """
    default = batches[default_rows]
    flat = {f"{name}_latency_ms": summary.p50_ms for name, summary in default.models.items()}
    flat |= {name: ratio.median for name, ratio in default.speedups.items()}
    for rows in batch_sizes:
        flat |= {
            f"{name}_batch_{rows}": ratio.median for name, ratio in batches[rows].speedups.items()
        }
    return flat


def detail(
    batches: Mapping[int, Batch],
    default_rows: int,
    load: Mapping[str, Mapping[str, float]],
    environment: Mapping[str, Any],
    candidates: Mapping[str, Any],
    doubts: list[str],
) -> dict[str, Any]:
    """The content of latency_detail.json."""
    return {
        "default_batch_rows": default_rows,
        "batches": {str(rows): batch.to_json() for rows, batch in batches.items()},
        "candidates": candidates,
        "load": load,
        "environment": environment,
        "warnings": doubts,
    }


def line(batch: Batch) -> str:
    """One batch size in a line; a difference that may be chance is called so before any number."""
    ms = {
        name: f"{TIMED[name].short} {_ms(summary.p50_ms)}" for name, summary in batch.models.items()
    }
    onnx, quantized = (
        _times(batch.speedups[name]) for name in ("onnx_speedup", "quantized_speedup")
    )
    versus = _times(batch.speedups["quantized_vs_onnx_speedup"])
    return f"{_rows(batch.rows)}: {ms['original']}, {ms['onnx']} ({onnx}), {ms['quantized']} ({quantized}; {versus} ONNX)"


def load_line(load: Mapping[str, Mapping[str, float]]) -> str:
    """Load times and peak memory of all models in a line."""
    costs = (
        f"{TIMED[name].short} {_ms(cost['load_ms'])}, {cost['peak_memory_mb']:.0f} MB"
        for name, cost in load.items()
    )
    return f"load time and peak memory in a fresh process: {'; '.join(costs)}"


def slowness(batches: Mapping[int, Batch]) -> str | None:
    """A sentence that names the batch sizes at which an ONNX model is slower than the original; None when there is none."""
    slow = [
        f"the {TIMED[name].short} model at {_rows(batch.rows)} ({_times(ratio)})"
        for batch in batches.values()
        for name, ratio in (
            (name, batch.speedups[f"{name}_speedup"]) for name in ("onnx", "quantized")
        )
        if ratio.median < 1 and ratio.significant
    ]
    return (
        f"slower than the original: {', '.join(slow)}; gate.min_onnx_speedup can forbid it"
        if slow
        else None
    )


def instability(batches: Mapping[int, Batch]) -> str | None:
    """A sentence with the number in it when some measurement varies too much to be trusted; None when all are quiet."""
    spreads = [
        (summary.relative_mad, f"{TIMED[name].short} at {_rows(batch.rows)}")
        for batch in batches.values()
        for name, summary in batch.models.items()
    ]
    worst, where = max(spreads)
    if worst < UNSTABLE:
        return None
    count = sum(spread >= UNSTABLE for spread, _ in spreads)
    return (
        f"unstable: {count} of {len(spreads)} latencies vary by {100 * UNSTABLE:.0f} % or more between rounds, most of all "
        f"{where}: {100 * worst:.0f} % (median absolute deviation); close other programs and run `dvc repro -f -s benchmark`"
    )


def crowding(cpu_share: float) -> str | None:
    """A sentence when other programs took the CPU away while measuring; None when the machine was ours.

    A call of milliseconds is interrupted nearly always then, one of microseconds hardly ever: the median of many calls
    keeps the second clean and not the first, so that speed-ups over a slow original look larger than they are.
    """
    if cpu_share >= CROWDED:
        return None
    return (
        f"busy machine: measuring got {100 * cpu_share:.0f} % of a core ({100 * CROWDED:.0f} % or more is fine), which makes "
        "speed-ups over the original look too large; close other programs and run `dvc repro -f -s benchmark`"
    )


def _ms(value: float) -> str:
    return f"{value:,.0f} ms" if value >= 100 else f"{value:.3g} ms"


def _times(ratio: Ratio) -> str:
    number = f"{ratio.median:.0f}x" if ratio.median >= 10 else f"{ratio.median:.2f}x"
    return number if ratio.significant else f"not significant: {number}"


def _rows(rows: int) -> str:
    return f"{rows} row" if rows == 1 else f"{rows:,} rows"
