"""What was measured, as latency.json and latency_detail.json hold it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from onnxpress.benchmark.latency_statistics import Ratio, Summary, speedups, summarise
from onnxpress.benchmark.measure import Timed


class BatchResult:
    """Summaries and speed-ups of one batch size."""

    def __init__(self, rows: int, timed: Timed) -> None:
        """Compute both from all timed calls."""
        self.rows = rows
        self.models: dict[str, Summary] = {name: summarise(calls) for name, calls in timed.items()}
        self.speedups: dict[str, Ratio] = speedups(timed)

    def to_json(self) -> dict[str, Any]:
        """Return what latency_detail.json says of this batch size."""
        return {
            "models": {name: asdict(summary) for name, summary in self.models.items()},
            "speedups": {name: asdict(ratio) for name, ratio in self.speedups.items()},
        }


def latency(
    batches: Mapping[int, BatchResult], default_rows: int, batch_sizes: list[int]
) -> dict[str, float]:
    """Return the content of latency.json: medians in ms and speed-ups, flat.

    A speed-up is the median of the ratios within rounds; on a noisy machine it is not the ratio of
    the two medians.
    """
    default = batches[default_rows]
    flat = {f"{name}_latency_ms": summary.p50_ms for name, summary in default.models.items()}
    for name, ratio in default.speedups.items():
        flat[name] = ratio.median
    for rows in batch_sizes:
        for name, ratio in batches[rows].speedups.items():
            flat[f"{name}_batch_{rows}"] = ratio.median
    return flat


def detail(batches: Mapping[int, BatchResult], default_rows: int) -> dict[str, Any]:
    """Return the part of latency_detail.json that is about the three models."""
    return {
        "default_batch_rows": default_rows,
        "batches": {str(rows): batch.to_json() for rows, batch in batches.items()},
    }
