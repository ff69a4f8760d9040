"""How names and values of a table are shown in a line."""

from __future__ import annotations

from collections.abc import Iterable

LONGEST = 60
MOST_NAMES = 5


def shown(value: object) -> str:
    """Return a value as Python writes it, in one line, cut if it is long."""
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def listed(names: Iterable[object], most: int = MOST_NAMES) -> str:
    """Return the first names, and how many follow."""
    every = list(names)
    rest = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(shown(name) for name in every[:most]) + rest
