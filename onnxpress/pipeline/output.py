"""The one door of the process: what is printed on stdout and stderr, by whomever, has no secrets in it.

Stages print through the console, but libraries log and warn, and a bug has a traceback: all of them write here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any, TextIO, cast

from onnxpress.credentials.redaction import scrubbed


class Scrubbing:
    """A text stream that scrubs what goes to another, whole lines at a time: half a line may hold half a secret."""

    def __init__(self, stream: TextIO) -> None:
        """Write to ``stream``."""
        self.stream = stream
        self._unfinished = ""

    def write(self, text: str) -> int:
        """Pass on what has become whole lines, several at once where a text has several."""
        whole, newline, self._unfinished = (self._unfinished + text).rpartition("\n")
        if newline:
            self.stream.write(scrubbed(whole) + newline)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write every text."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Pass on what there is, also what may be half a line: a question or a bar."""
        unfinished, self._unfinished = self._unfinished, ""
        if unfinished:
            self.stream.write(scrubbed(unfinished))
        self.stream.flush()

    def __getattr__(self, name: str) -> Any:
        """Everything else is the stream's: encoding, isatty, fileno."""
        return getattr(self.stream, name)


def guard_output() -> None:
    """Have stdout and stderr scrub, from now until the process ends: some things are printed while it does."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, Scrubbing):
            setattr(sys, name, cast("TextIO", Scrubbing(stream)))


def beneath(stream: TextIO) -> TextIO:
    """The stream that a scrubbing one writes to, for JSON whose texts are scrubbed already: a mask must not break it."""
    if isinstance(stream, Scrubbing):
        stream.flush()
        return stream.stream
    return stream
