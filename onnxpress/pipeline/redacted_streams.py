"""Stdout and stderr without secrets, whoever writes to them.

Stages print through the console, but libraries log and warn, and a bug prints a traceback: all of
it goes through these streams.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any, TextIO, cast

from onnxpress.credentials.redaction import redacted


class RedactedStream:
    """A text stream that redacts what goes to another one.

    It passes on whole lines only, because half a line may hold half a secret.
    """

    def __init__(self, stream: TextIO) -> None:
        """Write to ``stream``."""
        self.stream = stream
        self._unfinished = ""

    def write(self, text: str) -> int:
        """Pass on what has become whole lines; several of them are redacted as one text."""
        whole, newline, self._unfinished = (self._unfinished + text).rpartition("\n")
        if newline:
            self.stream.write(redacted(whole) + newline)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write every text."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Pass on what there is, also half a line: it may be a question or a progress bar."""
        unfinished, self._unfinished = self._unfinished, ""
        if unfinished:
            self.stream.write(redacted(unfinished))
        self.stream.flush()

    def __getattr__(self, name: str) -> Any:
        """Take everything else from the stream: encoding, isatty, fileno."""
        return getattr(self.stream, name)


def redact_output() -> None:
    """Redact stdout and stderr until the process ends, because something is printed until then."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, RedactedStream):
            setattr(sys, name, cast("TextIO", RedactedStream(stream)))


def raw_stream(stream: TextIO) -> TextIO:
    """Return the stream below a redacted one, for JSON whose texts are redacted already.

    A mask over the whole document could break it.
    """
    if isinstance(stream, RedactedStream):
        stream.flush()
        return stream.stream
    return stream
