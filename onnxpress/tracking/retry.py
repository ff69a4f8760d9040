"""Whether and when a request to MLflow is tried again: decided here and nowhere else.

MLflow's own retries are switched off (``store.SETTINGS``): they repeat requests that have already
made a run, and wait again for servers that hang.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

TRANSIENT = re.compile(
    r"Connection ?(reset|aborted)|RemoteDisconnected|IncompleteRead|BrokenPipe"
    r"|\b(429|50[234])\b|SlowDown"
)
"""Failures that pass by themselves. A time-out is not one: it has cost its time already."""

PAUSES = (1.0, 2.0)
"""Seconds before the second and the third attempt."""


def with_retries(work: Callable[[], T]) -> T:
    """Return the result of ``work``, tried up to three times if its failures are transient.

    ``work`` must be safe to repeat: every step of a publish finds what an earlier attempt wrote.
    """
    for pause in PAUSES:
        try:
            return work()
        except Exception as error:
            if not is_transient(error):
                raise
            time.sleep(pause)
    return work()


def is_transient(error: Exception) -> bool:
    """Whether a failure is worth another attempt."""
    return bool(TRANSIENT.search(f"{type(error).__name__} {error}"))
