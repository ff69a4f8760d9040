"""What ends a stage from outside: Ctrl-C, SIGTERM, and the death of the dvc that started it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from typing import Any

INTERRUPTED, TERMINATED = 130, 143
"""Exit codes: 128 and the number of the signal, as shells have it."""
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


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


def end_with_dvc() -> None:
    """Have this process terminated when the dvc that runs it dies, which even SIGKILL to dvc then brings about.

    DVC leaves its child running otherwise, and the next ``dvc repro`` would race it for the outputs. Linux only
    (prctl(2)): elsewhere the orphan finishes its stage, and its output is replaced whole or not at all.
    """
    if "DVC_STAGE" not in os.environ or not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
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
