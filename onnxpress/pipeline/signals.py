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
"""Exit codes: 128 plus the number of the signal, as in shells."""
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
GRACE_SECONDS = 5.0
"""How long a stage may take to end after a signal: native code lets no handler in Python run."""
WATCHDOG = Path(__file__).with_name("watchdog.py")


class Terminated(BaseException):
    """SIGTERM, raised in the main thread so that temporary files are removed on the way out.

    Like KeyboardInterrupt it is not an Exception: code that survives a failing candidate must not
    survive this.
    """


def leave_at_once() -> None:
    """End on a signal with one line, until the stage has anything to clean up.

    Otherwise a signal would print a traceback of imports.
    """
    for number, code in ((signal.SIGINT, INTERRUPTED), (signal.SIGTERM, TERMINATED)):
        signal.signal(number, lambda *_, code=code: _leave(code))


def raise_in_main() -> None:
    """From here on SIGINT raises KeyboardInterrupt and SIGTERM :class:`Terminated`."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _terminate)


@contextlib.contextmanager
def end_enforced(name: str) -> Iterator[None]:
    """Have this process end after SIGINT or SIGTERM even while native code runs.

    It gets ``GRACE_SECONDS`` to end by itself, then :mod:`watchdog` kills it and prints a line
    with ``name``, the stage's. POSIX only.
    """
    if os.name != "posix":
        yield
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        with _watchdog(name, reading):
            os.close(reading)
            try:
                yield
            finally:
                os.close(writing)  # which ends the watchdog
    finally:
        signal.set_wakeup_fd(before)


def _watchdog(name: str, pipe: int) -> subprocess.Popen[bytes]:
    """Start the watchdog of this process, with ``pipe`` as its stdin."""
    line = (
        f"{name}: ended {GRACE_SECONDS:g} s after a signal, in native code; "
        "finished stages are kept, run again"
    )
    arguments = [str(WATCHDOG), str(os.getpid()), str(GRACE_SECONDS), line]
    return subprocess.Popen(
        [sys.executable, "-I", "-S", *arguments],
        stdin=pipe,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


def end_with_dvc() -> None:
    """Have this process killed when the dvc that runs it dies, even by SIGKILL.

    Otherwise it would run on, and the next ``dvc repro`` would race it for the outputs. The signal
    is SIGKILL, because native code reacts to no other; what it leaves unfinished is removed by the
    next run. Linux only (prctl(2)): elsewhere the orphan finishes its stage, and its output is
    replaced whole or not at all.
    """
    if "DVC_STAGE" not in os.environ or not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if _orphaned():
        sys.exit(TERMINATED)


def _orphaned() -> bool:
    """Whether dvc died before the call to prctl: then the parent is of another process group."""
    with contextlib.suppress(ProcessLookupError):
        return os.getpgid(os.getppid()) != os.getpgrp()
    return True


def _leave(code: int) -> None:
    os.write(2, b"interrupted while starting; nothing was changed\n")
    os._exit(code)


def _terminate(*_: Any) -> None:
    raise Terminated
