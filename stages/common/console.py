"""What a stage says while it works: a few plain lines, and progress on a terminal only."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
REDRAW_SECONDS = 0.2


def say(text: str) -> None:
    """Print one line of what the stage does or found."""
    print(f"  {text}", flush=True)


def progress(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    """Yield ``items`` with a progress bar on a terminal; elsewhere silently, so that logs stay plain and stable.

    The bar is drawn between items and never by a thread of its own, which would disturb a measurement.
    """
    from rich.console import Console  # a stage that never waits need not pay for it
    from rich.progress import Progress

    console = Console(stderr=True)
    drawn = time.monotonic()
    with Progress(console=console, transient=True, auto_refresh=False, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"  {what}", total=total)
        for item in items:
            yield item
            bar.advance(task)
            if time.monotonic() - drawn > REDRAW_SECONDS:
                bar.refresh()
                drawn = time.monotonic()


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show on a terminal that ``what``, which has no countable steps, goes on, and for how long; elsewhere silently.

    Drawn by a thread of its own, so not for what is timed. Lines said meanwhile would run into it: say them after.
    """
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        bar.add_task(f"  {what}", total=None)
        yield
