"""Limits of memory (``ulimit -v``), reported in one line.

Without it, libraries that cannot be loaded would leave a traceback or hang.
"""

from __future__ import annotations

import os
import re
import sys
from types import TracebackType

NEEDED_MB = 1024
"""Address space that the libraries take with one thread; most of it is never used."""
_FULL = re.compile(
    r"failed to map segment|[Cc]annot allocate memory|bad_alloc"
    r"|can't start new thread|Failed to allocate memory"
)
"""What libraries say when there is no memory."""


def refuse_little(stage: str) -> None:
    """End the process with one line if its limit of memory is below what libraries take.

    Also if a library fails for lack of memory while it is imported.
    """
    try:
        from resource import RLIM_INFINITY, RLIMIT_AS, getrlimit
    except ImportError:  # Windows has no such limits
        return
    limit, _ = getrlimit(RLIMIT_AS)
    if limit != RLIM_INFINITY and limit < NEEDED_MB * 2**20:
        came = f"the limit of {limit / 2**20:.0f} MB of memory (ulimit -v)"
        _end(stage, f"{came} should be {NEEDED_MB} MB or more; raise it")
    before = sys.excepthook

    def explain(kind: type[BaseException], error: BaseException, at: TracebackType | None) -> None:
        if out_of_memory(error):
            cure = "free memory, or raise its limit (ulimit -v)"
            _end(stage, f"out of memory while libraries were loaded; {cure}")
        before(kind, error, at)

    sys.excepthook = explain


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that there is no memory, whichever library raised it."""
    return isinstance(error, MemoryError) or bool(_FULL.search(str(error)))


def _end(stage: str, line: str) -> None:
    os.write(2, f"{stage}: {line}\n".encode())
    os._exit(2)  # a hook has no other way to set the exit code
