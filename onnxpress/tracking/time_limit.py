"""A time limit for work that may hang, such as the resolution of a host name."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def within(seconds: float, work: Callable[[], T]) -> T:
    """Return the result of ``work`` if it takes at most so many seconds.

    Raises:
        TimeoutError: it takes longer. The work goes on in a daemon thread, which ends with the
            process.
        Exception: whatever ``work`` raises.
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
