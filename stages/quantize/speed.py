"""A quick side-by-side timing for ``objective: latency``; the benchmark stage measures what is published."""

from __future__ import annotations

import time

import numpy as np

from stages.common.models import open_session
from stages.common.table import Rows, take

ROUNDS = 50
BATCH_ROWS = 256


def relative_latencies(plain: bytes, models: list[bytes], rows: Rows) -> list[float]:
    """Median over rounds of each model's time over the plain model's in the same round; below 1 is faster."""
    feeds = take(rows.feeds, np.arange(BATCH_ROWS) % len(rows))
    sessions = [open_session(model) for model in (plain, *models)]
    for session in sessions:
        session.run(None, feeds)
    times = np.empty((ROUNDS, len(sessions)))
    for turn in times:
        for position, session in enumerate(sessions):
            start = time.perf_counter()
            session.run(None, feeds)
            turn[position] = time.perf_counter() - start
    return [float(ratio) for ratio in np.median(times[:, 1:] / times[:, :1], axis=0)]
