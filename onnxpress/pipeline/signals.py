"""What ends a stage from outside: Ctrl-C, SIGTERM, and the death of the dvc that started it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

INTERRUPTED, TERMINATED = 130, 143
"""Exit codes: 128 and the number of the signal, as shells have it."""
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
PATIENCE_SECONDS = 5.0
"""How long a stage may take to end after a signal: native code lets no handler of Python run."""
INSIST = Path(__file__).with_name("insist.py")


class Terminated(BaseException):
    """SIGTERM, raised in the main thread so that temporary files are removed on the way out.

    Like KeyboardInterrupt it is no Exception: what survives a failing candidate must not survive this.
    """


def leave_at_once() -> None:
    """Until the stage has anything to clean up, end on a signal with one line instead of a traceback of imports."""
    for number, code in ((signal.SIGINT, INTERRUPTED), (signal.SIGTERM, TERMINATED)):
        signal.signal(number, lambda *_, code=code: _leave(code))


def raise_in_main() -> None:
    """From here on SIGINT raises KeyboardInterrupt and SIGTERM :class:`Terminated`."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _terminate)


@contextlib.contextmanager
def obeyed(name: str) -> Iterator[None]:
    """Have this process end ``PATIENCE_SECONDS`` after SIGINT or SIGTERM even where native code runs; see :mod:`insist`.

    ``name`` is the stage's, for the line that is then said instead of its own. POSIX only.
    """
    if os.name != "posix":
        yield
        return
    line = f"{name}: ended {PATIENCE_SECONDS:g} s after a signal, in native code; finished stages are kept, run again"
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    command = [
        sys.executable,
        "-I",
        "-S",
        str(INSIST),
        str(os.getpid()),
        str(PATIENCE_SECONDS),
        line,
    ]
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        with subprocess.Popen(
            command, stdin=reading, stdout=subprocess.DEVNULL, start_new_session=True
        ):
            os.close(reading)
            try:
                yield
            finally:
                os.close(writing)  # which ends it
    finally:
        signal.set_wakeup_fd(before)


def end_with_dvc() -> None:
    """Have this process killed when the dvc that runs it dies, which even SIGKILL to dvc then brings about.

    DVC leaves its child running otherwise, and the next ``dvc repro`` would race it for the outputs. SIGKILL, because native
    code would hear no other; what it leaves unfinished goes with the next run. Linux only (prctl(2)): elsewhere the orphan
    finishes its stage, and its output is replaced whole or not at all.
    """
    if "DVC_STAGE" not in os.environ or not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if _adopted():
        sys.exit(TERMINATED)


def _adopted() -> bool:
    """Whether dvc died before the call to prctl: the parent is then another process group's (init, or a reaper)."""
    with contextlib.suppress(ProcessLookupError):
        return os.getpgid(os.getppid()) != os.getpgrp()
    return True


def _leave(code: int) -> None:
    os.write(2, b"interrupted while starting; nothing was changed\n")
    os._exit(code)


def _terminate(*_: Any) -> None:
    raise Terminated
