"""The measuring loop times all models alike, and keeps to its plan."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from onnxpress.benchmark import measure as measuring
from onnxpress.benchmark.latency_statistics import (
    speedups,
)
from onnxpress.benchmark.measure import Plan, measure, measure_batches
from onnxpress.runtime.sessions import open_session

T = TypeVar("T")


def matmuls(count: int) -> Callable[[], object]:
    """A call of an ONNX model of ``count`` products of 200 x 200 matrices in a row."""
    weight = numpy_helper.from_array(np.eye(200, dtype=np.float32) * np.float32(0.5), "W")
    nodes = [
        helper.make_node("MatMul", [f"v{step}", "W"], [f"v{step + 1}"]) for step in range(count)
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [200, 200])
        for name in ("v0", f"v{count}")
    ]
    graph = helper.make_graph(nodes, "matmuls", ends[:1], ends[1:], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 12)], ir_version=7)
    return partial(
        open_session(model.SerializeToString()).run, None, {"v0": np.ones((200, 200), np.float32)}
    )


def test_a_model_that_really_computes_more_is_found_significantly_slower() -> None:
    found = measure(
        {"onnx": matmuls(30), "quantized": matmuls(3), "original": matmuls(30)},
        Plan(50, 10),
        seed=0,
    )
    found_ratio = speedups(found)["quantized_vs_onnx_speedup"]
    assert found_ratio.significant
    assert found_ratio.low > 2


def test_a_quantised_model_that_is_really_slower_gets_a_ratio_below_one() -> None:
    found = measure(
        {"onnx": matmuls(3), "quantized": matmuls(30), "original": matmuls(30)},
        Plan(50, 10),
        seed=0,
    )
    found_ratio = speedups(found)["quantized_vs_onnx_speedup"]
    assert found_ratio.significant
    assert found_ratio.high < 0.5


def nothing() -> None:
    pass


def nap() -> None:
    time.sleep(0.002)


def record_and_nap(calls: list[T], call: T) -> None:
    calls.append(call)
    nap()


def test_every_model_is_timed_in_every_round_and_at_least_as_often_as_planned() -> None:
    found = measure({"slow": nap, "fast": nothing}, Plan(30, 10), seed=0)
    assert found["slow"].shape == (30, 1)
    assert len(found["fast"]) == 30


def test_a_fast_model_is_called_more_often_for_one_value() -> None:
    found = measure({"slow": nap, "fast": nothing}, Plan(5, 10), seed=0)
    assert found["fast"].shape[1] > 100


def test_warm_up_calls_are_not_counted() -> None:
    made: list[None] = []
    found = measure({"slow": partial(record_and_nap, made, None)}, Plan(5, 10), seed=0)
    assert len(made) > found["slow"].size


def test_the_garbage_collector_rests_while_timing_and_works_afterwards() -> None:
    seen: set[bool] = set()
    measure({"model": lambda: seen.add(gc.isenabled())}, Plan(5, 10), seed=0)
    assert seen == {False}
    assert gc.isenabled()


def test_the_order_within_a_round_changes_from_round_to_round() -> None:
    order: list[str] = []
    measure(
        {name: partial(record_and_nap, order, name) for name in ("a", "b", "c")},
        Plan(20, 10),
        seed=0,
    )
    rounds = [tuple(order[start : start + 3]) for start in range(len(order) - 60, len(order), 3)]
    assert all(set(names) == {"a", "b", "c"} for names in rounds)
    assert len(set(rounds)) > 1


class Clock:
    """A clock that only its own naps move on, each by 2 ms."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.nanoseconds = 0
        patch.setattr(measuring, "perf_counter_ns", lambda: self.nanoseconds)
        patch.setattr(measuring, "perf_counter", lambda: self.nanoseconds / 1e9)

    def nap(self) -> None:
        self.nanoseconds += 2_000_000


def test_the_time_limit_ends_the_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    found = measure({"slow": Clock(monkeypatch).nap}, Plan(100_000, 0.2), seed=0)
    assert 80 <= len(found["slow"]) <= 100


def test_one_round_is_timed_even_when_the_time_is_over() -> None:
    assert measure({"slow": nap}, Plan(100, -1), seed=0)["slow"].shape == (1, 1)


def test_the_whole_sweep_keeps_the_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    calls = {"slow": clock.nap}
    found = measure_batches(lambda _: calls, [30, 1, 32, 1024], Plan(100_000, 1.0), seed=0)
    assert all(len(timed["slow"]) >= 6 for timed in found.values())
    assert (
        sum(timed["slow"].sum() for timed in found.values()) <= 1000 + 4 * 10
    )  # ms; a round may overrun
    assert clock.nanoseconds <= 1e9 + 4 * 1e7


def test_a_default_batch_that_is_in_the_sweep_is_measured_once() -> None:
    measured: list[int] = []

    def calls_of(rows: int) -> dict[str, Callable[[], object]]:
        measured.append(rows)
        return {"slow": nap}

    found = measure_batches(calls_of, [32, 1, 32, 1], Plan(2, 1), seed=0)
    assert measured == [32, 1]
    assert set(found) == {32, 1}
