"""Latency, load time and memory of all contestants on one split.

They are measured side by side in one process, with one thread each.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from bench.models import Models
from bench.peers import Peer
from onnxpress.benchmark.latency_statistics import ratio, summarise, values
from onnxpress.benchmark.load_cost import load_cost
from onnxpress.benchmark.measure import Plan, Timed, measure
from onnxpress.benchmark.timed_calls import (
    batches,
    calls,
    floor_model,
    in_turns,
    limited_threads,
    onnx_calls,
    sessions,
)
from onnxpress.pipeline.console import progress
from onnxpress.tables.rows import Feeds

BATCHES = (1, 32, 1024)
CALLS = 60
BRIEF = Plan(20, 1.0)


def latencies(
    models: Models, peers: Mapping[str, Peer], feeds: Feeds, seconds: float, seed: int
) -> dict[str, Any]:
    """By batch size: time of a row, and how much faster a refined model is than every other.

    ``us_per_row`` is a median over single calls. A speed-up is ``[median, low, high]`` of the
    ratios within rounds with their 95 % interval; ``lossless`` is compared with the ONNX model.
    ``one_node_over_floor`` is that form's time over the Identity graph's. ``seconds`` bounds each
    batch size. ``cpu_share`` is how much of a core measuring got.
    """
    opened = sessions(_onnx_forms(models) | {"floor": floor_model(feeds)}, threads=1)
    found: dict[str, Any] = {}
    wall, cpu = perf_counter(), process_time()
    with limited_threads(1):
        for size in BATCHES:
            parts = batches(feeds, size)
            timed_calls, plan = _calls(models, opened, peers, parts), Plan(CALLS, seconds)
            timed = measure(timed_calls, plan, seed, f"{size} rows", progress)
            found[str(size)] = _summary(timed, size)
    return found | {"cpu_share": (process_time() - cpu) / (perf_counter() - wall)}


def refined_speedup(models: Models, feeds: Feeds, seed: int) -> float:
    """How many times faster the refined model is than ONNX at the largest batch, in short."""
    opened = sessions(_onnx_forms(models), threads=1)
    two = {name: opened[name] for name in ("onnx", "refined")}
    timed = measure(onnx_calls(two, batches(feeds, max(BATCHES))), BRIEF, seed)
    return ratio(values(timed["onnx"]), values(timed["refined"])).median


def _onnx_forms(models: Models) -> dict[str, bytes]:
    return {name: data for name, data in models.forms.items() if name != "joblib"}


def _calls(
    models: Models, opened: Mapping[str, Any], peers: Mapping[str, Peer], parts: list[Feeds]
) -> dict[str, Any]:
    ours = dict(calls(models.estimator, opened, parts))
    return (
        {"joblib": ours.pop("original")}
        | ours
        | {
            name: in_turns([partial(peer.call, peer.prepare(rows)) for rows in parts])
            for name, peer in peers.items()
        }
    )


def _summary(timed: Timed, rows: int) -> dict[str, Any]:
    def faster(fast: str, slow: str) -> list[float]:
        found = ratio(values(timed[slow]), values(timed[fast]))
        return [found.median, found.low, found.high]

    return {
        "us_per_row": {
            name: summarise(taken).p50_ms * 1000 / rows for name, taken in timed.items()
        },
        "lossless_speedup": faster("lossless", "onnx"),
        "refined_speedup": {name: faster("refined", name) for name in timed if name != "refined"},
        "one_node_over_floor": 1 / faster("one_node", "floor")[0],
    }


def loads(models: Models) -> dict[str, dict[str, float]]:
    """By form: load time and peak memory of a fresh process that loads it.

    See :mod:`onnxpress.benchmark.load_cost`.
    """
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, data in models.forms.items():
            path = Path(folder) / ("model.joblib" if name == "joblib" else f"{name}.onnx")
            path.write_bytes(data)
            found[name] = load_cost(path)
    return found
