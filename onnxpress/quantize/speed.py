"""A quick side-by-side timing of candidates, to choose by; the benchmark measures with care."""

from __future__ import annotations

import time

import numpy as np

from onnxpress.quantize.options import BATCH_ROWS, Objective
from onnxpress.runtime.sessions import open_session
from onnxpress.tables.rows import Rows, take

ROUNDS = 50
FEWEST_ROUNDS, SECONDS = 5, 30.0
"""After so many seconds of timing no further round is begun, but for the fewest."""

CALLS_ROWS = 256
"""A value is the time of so many rows, in one call or in several.

A single call of one row is too short to time, and the same row again and again would be too fast:
a processor learns its way through a forest by heart.
"""


def row_microseconds(model: bytes, rows: Rows) -> float:
    """The median time of a call with one row, in microseconds."""
    session = open_session(model)
    calls = [take(rows.feeds, np.array([at % len(rows)])) for at in range(CALLS_ROWS)]
    times = []
    for call in calls * FEWEST_ROUNDS:
        start = time.perf_counter()
        session.run(None, call)
        times.append(time.perf_counter() - start)
    return float(np.median(times[CALLS_ROWS:])) * 1e6


def relative_latencies(
    plain: bytes, models: list[bytes], rows: Rows, objective: Objective
) -> list[float]:
    """Each model's time over the plain model's in the same round, the median of all rounds.

    Below 1 is faster. ``objective`` is ``latency`` or ``throughput``.
    """
    size = BATCH_ROWS[objective]
    starts = range(0, CALLS_ROWS, size)
    batches = [take(rows.feeds, (start + np.arange(size)) % len(rows)) for start in starts]
    sessions = [open_session(model) for model in (plain, *models)]
    for session in sessions:
        session.run(None, batches[0])
    rounds: list[list[float]] = []
    begun = time.perf_counter()
    while len(rounds) < ROUNDS:
        if len(rounds) >= FEWEST_ROUNDS and time.perf_counter() - begun > SECONDS:
            break
        turn = []
        for session in sessions:
            start = time.perf_counter()
            for batch in batches:
                session.run(None, batch)
            turn.append(time.perf_counter() - start)
        rounds.append(turn)
    times = np.array(rounds)
    return [float(ratio) for ratio in np.median(times[:, 1:] / times[:, :1], axis=0)]
