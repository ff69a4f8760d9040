"""The measuring loop. Words as in pyperf: warm-up, loop, round, value.

A *value* is what one model takes in one *round*, from as many calls (*loops*) as it needs to last long enough to time. In
every round each model is timed once, in shuffled order, so that a noisy machine hits all alike.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter, perf_counter_ns

import numpy as np
from numpy.typing import NDArray

from onnxpress.benchmark.latency_statistics import Milliseconds
from onnxpress.pipeline.console import progress

Calls = Mapping[str, Callable[[], object]]
"""What to time, by model."""

Timed = dict[str, Milliseconds]
"""Every timed call in ms, by model: (rounds, loops); rounds are the same for all, loops are not."""

WARM_UP_NS = 20_000_000
VALUE_NS = 300_000  # thousands of ticks of the clock, and short enough that a round stays a moment
FEWEST_ROUNDS = 20
SWEEP_CALLS = 60  # a sweep needs intervals, not the last percentile


@dataclass(frozen=True)
class Plan:
    """How much to measure: ``calls`` timed calls of each model or more, unless ``seconds`` are over; at least one round."""

    calls: int
    seconds: float


def measure_batches(
    calls_of: Callable[[int], Calls], batches: list[int], plan: Plan, seed: int
) -> dict[int, Timed]:
    """Measure every batch size once, the default one first, all within ``plan.seconds``.

    ``calls_of(rows)`` gives the calls at a batch size. The first of ``batches`` gets all of ``plan.calls``, within half
    of the time if there are others; these share what remains, with at most ``SWEEP_CALLS`` of their slowest model.
    """
    end = perf_counter() + plan.seconds
    distinct = list(dict.fromkeys(batches))
    measured: dict[int, Timed] = {}
    for position, rows in enumerate(distinct):
        left, others = end - perf_counter(), len(distinct) - position
        share = (
            Plan(plan.calls, left / min(others, 2))
            if position == 0
            else Plan(min(plan.calls, SWEEP_CALLS), left / others)
        )
        measured[rows] = measure(calls_of(rows), share, seed, f"{rows} rows")
    return measured


def measure(calls: Calls, plan: Plan, seed: int, what: str = "measuring") -> Timed:
    """Time the calls against each other."""
    end = perf_counter() + plan.seconds
    shuffle = np.random.default_rng(seed)
    names = list(calls)
    with _collector_off():
        loops = {name: loops_needed(call) for name, call in calls.items()}
        rounds = max(math.ceil(plan.calls / min(loops.values())), min(plan.calls, FEWEST_ROUNDS))
        timed: dict[str, list[NDArray[np.int64]]] = {name: [] for name in names}
        for _ in progress(range(rounds), rounds, what):
            for index in shuffle.permutation(len(names)):
                name = names[index]
                if loops[name] > 1:
                    calls[
                        name
                    ]()  # the caches still hold the model before: twice the time of a short call, nothing of a long
                timed[name].append(time_calls(calls[name], loops[name]))
            gc.collect()  # scikit-learn leaves cycles behind: cleared between rounds, never within a call
            if perf_counter() > end:
                break
    return {name: np.array(per_round) / 1e6 for name, per_round in timed.items()}


def loops_needed(call: Callable[[], object]) -> int:
    """Warm up, then say how many calls make a value that lasts long enough to time."""
    spent, shortest = 0, math.inf
    while spent < WARM_UP_NS:
        taken = int(time_calls(call, 1)[0])
        spent, shortest = spent + taken, min(shortest, taken)
    return max(1, math.ceil(VALUE_NS / shortest))


def time_calls(call: Callable[[], object], loops: int) -> NDArray[np.int64]:
    """Nanoseconds of each of ``loops`` calls in a row, (loops,); reading the clock adds some 0.05 us to each."""
    stamps = [perf_counter_ns()]
    for _ in range(loops):
        call()
        stamps.append(perf_counter_ns())
    ends = np.array(stamps, np.int64)
    return ends[1:] - ends[:-1]


@contextmanager
def _collector_off() -> Iterator[None]:
    """No garbage collection while timing; what exists now is set aside, so that collecting between rounds is quick."""
    was_on = gc.isenabled()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if was_on:
            gc.enable()
