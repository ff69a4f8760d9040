"""What a hostile file is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Payload:
    """A hostile file: its bytes, and ``culprits``, one of which the refusing line must name."""

    name: str
    data: bytes
    culprits: tuple[str, ...]
    suffix: str = ".pkl"

    def write(self, folder: Path) -> Path:
        """Write it into a folder; returns the path."""
        path = folder / f"payload{self.suffix}"
        path.write_bytes(self.data)
        return path


class Call:
    """Pickled as a call of ``function``, which is then made by whoever loads it."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Keep what is to be called."""
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        """The call."""
        return self.function, self.arguments


def touch(mark: Path, name: str) -> str:
    """A shell command that leaves a mark."""
    return f"touch {mark / name}"


def opened(mark: Path, name: str) -> str:
    """A Python expression that leaves a mark."""
    return f"open({str(mark / name)!r}, 'w')"
