"""The measuring loop. Words as in pyperf: warm-up, loop, round, value.

A *value* is what one model takes in one *round*, from as many calls (*loops*) as it needs to last
long enough to time. In every round each model is timed once, in shuffled order, so that a noisy
machine hits all alike.
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
from onnxpress.progress import Progress, show_nothing

Call = Callable[[], object]
Calls = Mapping[str, Call]
"""What to time, by model."""

Timed = dict[str, Milliseconds]
"""Every timed call in ms, by model: (rounds, loops). All have the same rounds, but not loops."""

WARM_UP_NS = 20_000_000
VALUE_NS = 300_000  # thousands of ticks of the clock, and short enough that a round stays a moment
FEWEST_ROUNDS = 20
SWEEP_CALLS = 60  # a sweep needs intervals, not the last percentile


@dataclass(frozen=True)
class Plan:
    """How much to measure."""

    calls: int
    """Timed calls of each model, at least; fewer if the time is over."""
    seconds: float
    """Upper bound on the time; at least one round is measured."""


def measure_batches(
    calls_of: Callable[[int], Calls],
    batches: list[int],
    plan: Plan,
    seed: int,
    progress: Progress = show_nothing,
) -> dict[int, Timed]:
    """Measure every batch size once, the first of ``batches`` first, all within ``plan.seconds``.

    ``calls_of(rows)`` gives the calls at a batch size. The first gets all of ``plan.calls``, within
    half of the time if there are others; these share the rest of the time, with at most
    ``SWEEP_CALLS`` calls of their slowest model.
    """
    end = perf_counter() + plan.seconds
    distinct = list(dict.fromkeys(batches))
    measured: dict[int, Timed] = {}
    for position, rows in enumerate(distinct):
        left, others = end - perf_counter(), len(distinct) - position
        if position == 0:
            share = Plan(plan.calls, left / min(others, 2))
        else:
            share = Plan(min(plan.calls, SWEEP_CALLS), left / others)
        measured[rows] = measure(calls_of(rows), share, seed, f"{rows} rows", progress)
    return measured


def measure(
    calls: Calls,
    plan: Plan,
    seed: int,
    what: str = "measuring",
    progress: Progress = show_nothing,
) -> Timed:
    """Time the calls against each other; ``what`` is said of the progress."""
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
                timed[name].append(_value(calls[name], loops[name]))
            gc.collect()  # scikit-learn leaves cycles: they are freed between rounds, not in calls
            if perf_counter() > end:
                break
    return {name: np.array(per_round) / 1e6 for name, per_round in timed.items()}


def _value(call: Call, loops: int) -> NDArray[np.int64]:
    """Return the nanoseconds of each call of one round, (loops,).

    The caches still hold the model before. That would double the time of a short call, so it is
    called once more untimed; to a long call it makes no difference.
    """
    if loops > 1:
        call()
    return time_calls(call, loops)


def loops_needed(call: Call) -> int:
    """Warm up, and return how many calls make a value that lasts long enough to time."""
    spent, shortest = 0, math.inf
    while spent < WARM_UP_NS:
        taken = int(time_calls(call, 1)[0])
        spent, shortest = spent + taken, min(shortest, taken)
    return max(1, math.ceil(VALUE_NS / shortest))


def time_calls(call: Call, loops: int) -> NDArray[np.int64]:
    """Return the nanoseconds of each of ``loops`` calls in a row, (loops,).

    Reading the clock adds some 0.05 us to each.
    """
    stamps = [perf_counter_ns()]
    for _ in range(loops):
        call()
        stamps.append(perf_counter_ns())
    ends = np.array(stamps, np.int64)
    return ends[1:] - ends[:-1]


@contextmanager
def _collector_off() -> Iterator[None]:
    """Collect no garbage while timing.

    What exists now is set aside, so that collecting between rounds is quick.
    """
    was_on = gc.isenabled()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if was_on:
            gc.enable()
