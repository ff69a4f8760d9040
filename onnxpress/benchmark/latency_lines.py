"""What was measured in words: a line per batch size, and warnings of doubtful measurements."""

from __future__ import annotations

from collections.abc import Mapping

from onnxpress.benchmark.latency_statistics import Ratio
from onnxpress.benchmark.results import BatchResult
from onnxpress.models import ONNX, QUANTIZED, TIMED

UNSTABLE = 0.1
"""Relative median absolute deviation between rounds from which a measurement is unstable."""
CROWDED = 0.9
"""Share of a core below which other programs disturbed the measurement."""

Batches = Mapping[int, BatchResult]


def batch_line(batch: BatchResult) -> str:
    """Return one batch size in a line; "not significant" comes before any number it is true of."""
    ms = {}
    for name, summary in batch.models.items():
        ms[name] = f"{_short(name)} {_ms(summary.p50_ms)}"
    faster = {name: _times(ratio) for name, ratio in batch.speedups.items()}
    onnx = f"{ms[ONNX]} ({faster['onnx_speedup']})"
    versus = f"{faster['quantized_speedup']}; {faster['quantized_vs_onnx_speedup']} ONNX"
    return f"{_rows(batch.rows)}: {ms['original']}, {onnx}, {ms[QUANTIZED]} ({versus})"


def load_line(load: Mapping[str, Mapping[str, float]]) -> str:
    """Return load times and peak memory of all models in a line."""
    costs = []
    for name, cost in load.items():
        memory = f"{cost['peak_memory_mb']:.0f} MB"
        costs.append(f"{_short(name)} {_ms(cost['load_ms'])}, {memory}")
    return f"load time and peak memory in a fresh process: {'; '.join(costs)}"


def slowness(batches: Batches) -> str | None:
    """Name the batch sizes at which an ONNX model is slower than the original; None if it never is.

    A difference that may be chance does not count.
    """
    slow = []
    for batch in batches.values():
        for name in (ONNX, QUANTIZED):
            ratio = batch.speedups[f"{name}_speedup"]
            if ratio.median < 1 and ratio.significant:
                where = f"at {_rows(batch.rows)} ({_times(ratio)})"
                slow.append(f"the {_short(name)} model {where}")
    if not slow:
        return None
    return f"slower than the original: {', '.join(slow)}; the gate min_onnx_speedup can forbid it"


def lost_speed(batches: Batches) -> str | None:
    """Name the batch sizes at which the quantised model is slower than the ONNX model, if any.

    A difference that may be chance does not count.
    """
    slow = []
    for batch in batches.values():
        ratio = batch.speedups["quantized_vs_onnx_speedup"]
        if ratio.median < 1 and ratio.significant:
            slow.append(f"at {_rows(batch.rows)} ({_times(ratio)})")
    if not slow:
        return None
    gate = "the gate min_quantized_vs_onnx_speedup can forbid it"
    return f"the quantised model is slower than the ONNX model: {', '.join(slow)}; {gate}"


def instability(batches: Batches, again: str) -> str | None:
    """Warn if some latency varies too much between rounds, with the worst; None if all are quiet.

    ``again`` says what to do then.
    """
    spreads = []
    for batch in batches.values():
        for name, summary in batch.models.items():
            spreads.append((summary.relative_mad, f"{_short(name)} at {_rows(batch.rows)}"))
    worst, where = max(spreads)
    if worst < UNSTABLE:
        return None
    count = sum(spread >= UNSTABLE for spread, _ in spreads)
    return (
        f"unstable: {count} of {len(spreads)} latencies vary by {100 * UNSTABLE:.0f} % or more "
        f"between rounds, most of all {where}: {100 * worst:.0f} % (median absolute deviation); "
        f"close other programs and {again}"
    )


def crowding(cpu_share: float, again: str) -> str | None:
    """Warn if other programs used the CPU meanwhile, by the share of a core that measuring got.

    They interrupt a call of milliseconds nearly always, one of microseconds hardly ever: the median
    of many calls keeps the second clean and not the first, so that speed-ups over a slow original
    look larger than they are. ``again`` says what to do then. The result is None on a free machine.
    """
    if cpu_share >= CROWDED:
        return None
    return (
        f"busy machine: measuring got {100 * cpu_share:.0f} % of a core ({100 * CROWDED:.0f} % or "
        "more is fine), which makes speed-ups over the original look too large; "
        f"close other programs and {again}"
    )


def _short(name: str) -> str:
    return TIMED[name].short


def _ms(value: float) -> str:
    return f"{value:,.0f} ms" if value >= 100 else f"{value:.3g} ms"


def _times(ratio: Ratio) -> str:
    number = f"{ratio.median:.0f}x" if ratio.median >= 10 else f"{ratio.median:.2f}x"
    return number if ratio.significant else f"not significant: {number}"


def _rows(rows: int) -> str:
    return f"{rows} row" if rows == 1 else f"{rows:,} rows"
