"""How long to wait for a store, and how often to try again."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from threading import Thread
from typing import TypeVar

T = TypeVar("T")

TRANSIENT = r"Connection ?(reset|aborted)|RemoteDisconnected|IncompleteRead|BrokenPipe|\b(429|50[234])\b|SlowDown"
PAUSES = (1.0, 2.0)
"""Seconds before the second and the third attempt. Silence is no reason to try again: it has cost its time already."""


def within(seconds: float, work: Callable[[], T]) -> T:
    """The result of ``work``, whatever hangs in it (name resolution knows no time limit of its own).

    Raises:
        TimeoutError: after ``seconds``; the work goes on in a daemon thread, which ends with the process.
    """
    results: list[T] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            results.append(work())
        except Exception as error:  # raised again in the caller's thread
            errors.append(error)

    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    for error in errors:
        raise error
    if not results:
        raise TimeoutError(f"timed out after {seconds:.0f} s")
    return results[0]


def patiently(work: Callable[[], T]) -> T:
    """The result of ``work``, which can be taken up again where it was left, after failures that pass by themselves.

    MLflow's own retries are switched off: they repeat requests that made a run, and wait again for servers that hang.
    """
    for pause in PAUSES:
        try:
            return work()
        except Exception as error:
            if not re.search(TRANSIENT, f"{type(error).__name__} {error}"):
                raise
            time.sleep(pause)
    return work()
