"""How the library reports what it is doing: through functions that its caller passes in.

The library prints nothing by itself. Functions that have something to say take ``say``, those that
work through a list of long steps take ``progress``; the stages pass those of the console.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

T = TypeVar("T")

Say = Callable[[str], None]
"""Takes one line of what was found."""


class Progress(Protocol):
    """Yields ``items`` unchanged, and shows how many of ``total`` are done."""

    def __call__(self, items: Iterable[T], total: int, what: str, /) -> Iterator[T]:
        """Yield each item; ``what`` says in words what is being done."""


def say_nothing(_line: str) -> None:
    """Drop the line: what a library does unless its caller asks for more."""


def show_nothing(items: Iterable[T], _total: int = 0, _what: str = "") -> Iterator[T]:
    """Yield ``items`` and show nothing."""
    yield from items
