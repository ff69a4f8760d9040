"""What a stage says while it works: a few plain lines, and progress bars on a terminal only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def say(text: str) -> None:
    """Print one line of what the stage does or found."""
    print(f"  {text}", flush=True)


def progress(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    """Yield ``items`` with a progress bar on a terminal; elsewhere silently, so that logs stay plain and stable."""
    from rich.console import Console  # a stage that never waits need not pay for it
    from rich.progress import track

    console = Console(stderr=True)
    yield from track(
        items, total=total, description=f"  {what}", console=console, transient=True, disable=not console.is_terminal
    )
