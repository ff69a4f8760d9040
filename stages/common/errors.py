"""The one place for errors that a user can mend: one line on stderr, a documented exit code, no traceback."""

from __future__ import annotations

import errno
import io
import sys
from collections.abc import Callable
from typing import NoReturn

from stages.common import signals
from stages.common.console import visible


class UserError(Exception):
    """Something the user can mend. The message says what was expected, what came, where, and what to do."""

    exit_code = 2


class GateFailed(UserError):
    """The models were made and measured, and a limit under ``gate:`` in params.yaml was broken."""

    exit_code = 3


class ServerError(UserError):
    """The tracking server or its artefact store did not answer, or refused."""

    exit_code = 4


KEPT = "finished stages are kept, `dvc repro` goes on from here"


def run_stage(name: str, main: Callable[[], None], kept: str = KEPT) -> None:
    """Run a stage's ``main`` and leave the process with its exit code; ``kept`` says what an interrupt leaves.

    Exit codes: 0 done, 1 a bug (with its traceback), 2 :class:`UserError`, 3 :class:`GateFailed`,
    4 :class:`ServerError`, 130 interrupted, 143 terminated.
    """
    try:
        _print_whatever_the_encoding()
        signals.raise_in_main()
        signals.end_with_dvc()
        main()
        sys.stdout.flush()
    except UserError as error:
        _leave(name, str(error), error.exit_code)
    except OSError as error:
        if error.filename is not None or error.errno not in {errno.EPIPE, errno.ENOSPC}:
            raise
        sys.stdout = None  # nothing is left to flush at exit
        _leave(name, f"cannot print ({error.strerror}); outputs are whole, point stdout elsewhere and run again", 2)
    except MemoryError:
        _leave(name, "out of memory; take fewer rows or a smaller train.estimator, or free memory and run again", 2)
    except KeyboardInterrupt:
        _leave(name, f"interrupted; {kept}", signals.INTERRUPTED)
    except signals.Terminated:
        _leave(name, f"terminated; {kept}", signals.TERMINATED)


def _print_whatever_the_encoding() -> None:
    """Let stdout show what its encoding has no letter for as an escape, as stderr does."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _leave(name: str, line: str, code: int) -> NoReturn:
    print(f"{name}: {visible(' '.join(line.split()))}", file=sys.stderr)
    sys.exit(code)
