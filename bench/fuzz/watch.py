"""What a case did that reading a file must not do, seen by an audit hook of the interpreter."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

FORBIDDEN = (
    *(
        "os.system",
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.spawn",
        "os.kill",
        "os.killpg",
        "os.startfile",
    ),
    *(
        "subprocess.",
        "pty.",
        "socket.",
        "urllib.",
        "http.",
        "ftplib.",
        "smtplib.",
        "webbrowser.",
        "ssl.",
    ),
    *(
        "os.remove",
        "os.rename",
        "os.rmdir",
        "os.mkdir",
        "os.link",
        "os.symlink",
        "os.truncate",
        "os.chmod",
        "os.chown",
    ),
    *("os.putenv", "os.unsetenv", "os.chdir", "shutil.", "tempfile.", "mmap.", "fcntl.", "open"),
    *(
        "exec",
        "compile",
        "import",
        "marshal.",
        "pickle.find_class",
        "code.",
        "function.",
        "ctypes.",
        "gc.",
        "sys.set",
    ),
    *(
        "builtins.input",
        "builtins.breakpoint",
        "signal.",
        "resource.",
        "syslog.",
        "sqlite3.",
        "glob.",
        "cpython.",
    ),
)
"""Beginnings of audit events.

An import shows only where the module was not imported before: all known ones are.
"""

HARMFUL = tuple(
    event
    for event in FORBIDDEN
    if event not in {"open", "exec", "compile", "import", "marshal.", "gc.", "code."}
)
"""What predicting must not do either; it may still import and compile."""

_seen: list[str] | None = None
_events: tuple[str, ...] = ()
_installed = False


@contextmanager
def watched(events: tuple[str, ...]) -> Iterator[list[str]]:
    """Collect the events that begin as one of ``events``, each as a line, while the block runs."""
    global _seen, _events, _installed  # noqa: PLW0603 # a hook cannot be removed: there is one, and it looks here
    if not _installed:
        sys.addaudithook(_hook)
        _installed = True
    seen: list[str] = []
    _seen, _events = seen, events
    try:
        yield seen
    finally:
        _seen = None


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _seen is not None and event.startswith(_events) and len(_seen) < 5:
        _seen.append(f"{event} {_shown(arguments)}")


def _shown(arguments: tuple[Any, ...]) -> str:
    """Arguments without calling a method of theirs, except of plain text."""
    return " ".join(
        item[:80] if type(item) is str else type(item).__name__ for item in arguments[:2]
    )
