"""How long a list of tasks takes on so many workers: list scheduling."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence

Before = Mapping[int, Sequence[int]]
"""Of a task, the tasks that have to end before it begins; none if it is left out."""


def makespan(seconds: Sequence[float], workers: int, before: Before | None = None) -> float:
    """Return when the last task ends if each free worker takes the first task that may begin.

    The rule is that of Graham (Bounds on multiprocessing timing anomalies, SIAM J. Appl. Math.
    17(2), 1969): at each moment, in the order of the list.

    Raises:
        ValueError: some tasks wait for each other.
    """
    waits = {task: set(others) for task, others in (before or {}).items() if others}
    waiting = list(range(len(seconds)))
    running: list[tuple[float, int]] = []
    now = 0.0
    while waiting or running:
        ready = [task for task in waiting if not waits.get(task)][: workers - len(running)]
        for task in ready:
            heapq.heappush(running, (now + seconds[task], task))
            waiting.remove(task)
        if not running:
            raise ValueError(f"the tasks {waiting} wait for each other")
        now = running[0][0]
        while running and running[0][0] == now:
            _, ended = heapq.heappop(running)
            for others in waits.values():
                others.discard(ended)
    return now
