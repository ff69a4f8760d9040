"""Bubblewrap (bwrap(1)), where it is installed.

Namespaces without network, other processes, or files but the readable.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection

SPACES = ("--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL")


def prefix(readable: Collection[str]) -> list[str] | None:
    """What to write before a command; None where bubblewrap is not installed."""
    program = shutil.which("bwrap")
    if program is None:
        return None
    arguments = [program, *SPACES, "--dev", "/dev", "--proc", "/proc"]
    for path in readable:
        if not path.startswith(("/dev/", "/proc/")):
            arguments += ["--ro-bind-try", path, path]
    return [*arguments, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/", "--"]
