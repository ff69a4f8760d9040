"""Run a stage or command: errors that a user can fix become one line and an exit code."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import NoReturn

from onnxpress.errors import UserError
from onnxpress.pipeline import dependencies, signals
from onnxpress.pipeline.memory import out_of_memory
from onnxpress.pipeline.redacted_streams import redact_output
from onnxpress.text import visible

SHOWN = 5
"""Changed files and keys that a line names."""
LONGEST_LINE = 4000
"""Characters of a line on stderr."""
KEPT = "finished stages are kept, `dvc repro` goes on from here"
OUT_OF_MEMORY = (
    "out of memory; take fewer rows or a smaller train.estimator, or free memory and run again"
)

_succeeded: list[str] = []


def run_stage(
    name: str, main: Callable[[], None], kept: str = KEPT, *, enforce_end: bool = True
) -> None:
    """Run a stage's ``main`` and leave the process with its exit code.

    Exit codes: 0 done, 1 a bug (with its traceback), 2 :class:`UserError`, 3 :class:`GateFailed`,
    4 :class:`ServerError`, 130 interrupted, 143 terminated. ``kept`` says what an interrupt
    leaves. ``enforce_end`` kills the process if it does not end after a signal; commands that wait
    for other processes switch it off. What a stage depends on must not change while it runs.
    Nothing that is printed from here on holds a secret, not even a traceback.
    """
    try:
        _open_streams()
        redact_output()
        signals.raise_in_main()
        signals.end_with_dvc()
        with signals.end_enforced(name) if enforce_end else nullcontext():
            main()
        sys.stdout.flush()
        _succeeded.append(name)
    except UserError as error:
        _leave(name, str(error), error.exit_code)
    except KeyboardInterrupt:
        _leave(name, f"interrupted; {kept}", signals.INTERRUPTED)
    except signals.Terminated:
        _leave(name, f"terminated; {kept}", signals.TERMINATED)
    except Exception as error:
        if out_of_memory(error):
            _leave(name, OUT_OF_MEMORY, 2)
        if isinstance(error, OSError) and _cannot_print(error):
            sys.stdout = None  # nothing is left to flush at exit
            cure = "outputs are whole, point stdout elsewhere and run again"
            _leave(name, f"cannot print ({error.strerror}); {cure}", 2)
        raise


def _cannot_print(error: OSError) -> bool:
    """Whether stdout leads to a closed pipe or a full disk."""
    return error.filename is None and error.errno in {errno.EPIPE, errno.ENOSPC}


def end_unchanged() -> None:
    """End a stage that has succeeded, or fail it if what it depends on has changed.

    It is the last thing that the process does. DVC looks at the files as soon as the process has
    ended; what libraries do at exit, which can take half a second, would leave time for unseen
    changes. So the process ends without it.
    """
    for stage in filter(dependencies.begun, _succeeded):
        code = 0
        try:
            refuse_changes(stage)
        except UserError as error:
            code = error.exit_code
            _print_error(stage, str(error))
        for stream in filter(None, (sys.stdout, sys.stderr)):
            with suppress(OSError, ValueError):  # closed
                stream.flush()
        os._exit(code)


def refuse_changes(stage: str) -> None:
    """Fail a stage if what it depends on has changed, before DVC records the change as what ran.

    Raises:
        UserError: naming what has changed.
    """
    if changed := dependencies.changes(stage):
        more = f" and {len(changed) - SHOWN} more" if len(changed) > SHOWN else ""
        raise UserError(
            f"{', '.join(changed[:SHOWN])}{more} changed while this stage ran, "
            "so what it made may belong to neither state; run `dvc repro` again"
        )


def _open_streams() -> None:
    """Make stdin, stdout and stderr usable.

    A closed one is opened to nowhere: otherwise the next file to be opened would get its number,
    and what a library prints would go there. What the encoding of stdout cannot express is shown
    as an escape, as on stderr.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - stays open
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - too
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _leave(name: str, line: str, code: int) -> NoReturn:
    _print_error(name, line)
    sys.exit(code)


def _print_error(name: str, line: str) -> None:
    print(f"{name}: {visible(' '.join(line.split()))[:LONGEST_LINE]}", file=sys.stderr, flush=True)
