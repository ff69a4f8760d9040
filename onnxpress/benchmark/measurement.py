"""The whole measurement: the latency of three models, and of the candidates of quantize."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter, process_time
from typing import Any

from onnxpress.benchmark import latency_lines, results
from onnxpress.benchmark.candidates import shared, to_json
from onnxpress.benchmark.environment import describe
from onnxpress.benchmark.measure import Calls, Plan, measure, measure_batches
from onnxpress.benchmark.results import BatchResult
from onnxpress.benchmark.timed_calls import (
    batches,
    calls,
    floor_model,
    limited_threads,
    onnx_calls,
    sessions,
)
from onnxpress.models import FLOOR
from onnxpress.progress import Progress, show_nothing
from onnxpress.tables.rows import Feeds
from onnxpress.tables.schema import Schema

LARGEST_DEFAULT_BATCH = 1024
"""Rows of the default batch: all there are, up to so many."""

Load = Mapping[str, Mapping[str, float]]
"""What loading costs, by model; see :mod:`onnxpress.benchmark.load_cost`."""


@dataclass(frozen=True)
class Contestants:
    """The models that are timed."""

    estimator: Any
    """The fitted original; it computes with ``MeasurementSettings.threads`` already."""
    models: Mapping[str, bytes]
    """The ONNX and the quantised model, by their keys."""
    candidates: Mapping[str, bytes]
    """What quantize could choose from, by name; :data:`onnxpress.models.PLAIN` is among them."""


@dataclass(frozen=True)
class MeasurementSettings:
    """How much is measured, and how."""

    plan: Plan
    """For all models and batch sizes together."""
    batch_sizes: list[int]
    """Rows per call, besides the default batch."""
    threads: int
    seed: int
    """Of the order within a round."""
    again: str = "measure again"
    """What a warning advises."""


@dataclass(frozen=True)
class MeasuredLatencies:
    """What was measured."""

    settings: MeasurementSettings
    default_rows: int
    batches: Mapping[int, BatchResult]
    """By rows per call, the default batch first."""
    candidates: Mapping[str, Any]
    """As in latency_detail.json."""
    cpu_share: float
    """Cores that the process got while the models were timed; near 1 if it was alone."""

    @property
    def warnings(self) -> list[str]:
        """Why the latencies may be wrong; empty on a quiet machine."""
        again = self.settings.again
        found = [
            latency_lines.instability(self.batches, again),
            latency_lines.crowding(self.cpu_share, again),
        ]
        return [line for line in found if line]

    def to_json(self) -> dict[str, float]:
        """Return the content of latency.json."""
        return results.latency(self.batches, self.default_rows, self.settings.batch_sizes)

    def detail(self, load: Load) -> dict[str, Any]:
        """Return the content of latency_detail.json."""
        return {
            **results.detail(self.batches, self.default_rows),
            "candidates": self.candidates,
            "load": load,
            "environment": describe(self.settings.threads, self.cpu_share),
            "warnings": self.warnings,
        }

    def lines(self, load: Load) -> list[str]:
        """Return all of it in words: a line per batch size, the load costs, and warnings."""
        lines = [latency_lines.batch_line(each) for each in self.batches.values()]
        lines.append(latency_lines.load_line(load))
        slow = latency_lines.slowness(self.batches), latency_lines.lost_speed(self.batches)
        return [*lines, *filter(None, slow), *self.warnings]


def measure_latencies(
    contestants: Contestants,
    feeds: Feeds,
    schema: Schema,
    settings: MeasurementSettings,
    progress: Progress = show_nothing,
) -> MeasuredLatencies:
    """Time the models at every batch size, then the candidates at the default one."""
    rows = min(len(next(iter(feeds.values()))), LARGEST_DEFAULT_BATCH)
    plan, small_plan = shared(settings.plan)
    models = {**contestants.models, FLOOR.key: floor_model(feeds)}
    opened = sessions(models, settings.threads)

    def calls_of(size: int) -> Calls:
        return calls(contestants.estimator, opened, batches(feeds, size), schema)

    with limited_threads(settings.threads):
        wall, cpu = perf_counter(), process_time()
        sizes = [rows, *settings.batch_sizes]
        timed = measure_batches(calls_of, sizes, plan, settings.seed, progress)
        cpu_share = (process_time() - cpu) / (perf_counter() - wall)
        candidates = sessions(contestants.candidates, settings.threads)
        tried = onnx_calls(candidates, batches(feeds, rows))
        compared = measure(tried, small_plan, settings.seed, "candidates", progress)
    by_size = {size: BatchResult(size, each) for size, each in timed.items()}
    return MeasuredLatencies(settings, rows, by_size, to_json(compared), cpu_share)
