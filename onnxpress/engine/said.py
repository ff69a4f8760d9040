"""What calculations say beside their results, carried from a worker to where the results go."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache

log = logging.getLogger("onnxpress")


@dataclass
class Said:
    """Lines and warnings, in the order of saying."""

    lines: list[str] = field(default_factory=list)
    warned: list[tuple[str, type[Warning], str, int]] = field(default_factory=list)
    """Message, category, file and line, as ``warnings.warn_explicit`` takes them."""

    def again(self) -> None:
        """Say it in this process."""
        for line in self.lines:
            warn_once(line)
        for warning in self.warned:
            warnings.warn_explicit(*warning)


log_once = cache(log.warning)  # the same model is rewritten for each fold
_kept: ContextVar[Said | None] = ContextVar("kept", default=None)


def warn_once(line: str) -> None:
    """Log a line once in a process; on a worker keep it for the client."""
    said = _kept.get()
    if said is None:
        log_once(line)
    else:
        said.lines.append(line)


@contextmanager
def kept() -> Iterator[Said]:
    """Keep what the block says instead of saying it."""
    said = Said()
    before = _kept.set(said)
    try:
        with warnings.catch_warnings(record=True) as caught:
            yield said
    finally:
        _kept.reset(before)
    said.warned += [
        (str(each.message), each.category, each.filename, each.lineno) for each in caught
    ]
