"""The one place for errors that a user can mend: one line on stderr, a documented exit code, no traceback."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import NoReturn

from onnxpress.errors import UserError
from onnxpress.pipeline import signals, unchanged
from onnxpress.pipeline.memory import out_of_memory
from onnxpress.pipeline.output import guard_output
from onnxpress.text import visible

SHOWN = 5

LONGEST_LINE = 4000

_succeeded: list[str] = []

KEPT = "finished stages are kept, `dvc repro` goes on from here"

OUT_OF_MEMORY = (
    "out of memory; take fewer rows or a smaller train.estimator, or free memory and run again"
)


def run_stage(
    name: str, main: Callable[[], None], kept: str = KEPT, *, insist: bool = True
) -> None:
    """Run a stage's ``main`` and leave the process with its exit code; ``kept`` says what an interrupt leaves.

    Exit codes: 0 done, 1 a bug (with its traceback), 2 :class:`UserError`, 3 :class:`GateFailed`,
    4 :class:`ServerError`, 130 interrupted, 143 terminated. What a stage depends on may not change while it runs.
    ``insist`` on the end after a signal, unless the command has others to wait for.
    Nothing that is printed from here on holds a secret, a traceback neither.
    """
    try:
        _have_streams()
        guard_output()
        signals.raise_in_main()
        signals.end_with_dvc()
        with signals.obeyed(name) if insist else nullcontext():
            main()
        sys.stdout.flush()
        _succeeded.append(name)
    except UserError as error:
        _leave(name, str(error), error.exit_code)
    except OSError as error:
        if out_of_memory(error):
            _leave(name, OUT_OF_MEMORY, 2)
        if error.filename is not None or error.errno not in {errno.EPIPE, errno.ENOSPC}:
            raise
        sys.stdout = None  # nothing is left to flush at exit
        _leave(
            name,
            f"cannot print ({error.strerror}); outputs are whole, point stdout elsewhere and run again",
            2,
        )
    except KeyboardInterrupt:
        _leave(name, f"interrupted; {kept}", signals.INTERRUPTED)
    except signals.Terminated:
        _leave(name, f"terminated; {kept}", signals.TERMINATED)
    except Exception as error:
        if not out_of_memory(error):
            raise
        _leave(name, OUT_OF_MEMORY, 2)


def end_unchanged() -> None:
    """End a stage that has succeeded, or fail it if something has changed under it: the last thing that its process does.

    DVC looks at the files as soon as the process has ended. What libraries do after this, which can take half a second,
    would be time for changes that nobody sees, so the process leaves without it.
    """
    for stage in filter(unchanged.begun, _succeeded):
        code = 0
        try:
            refuse_changes(stage)
        except UserError as error:
            code = error.exit_code
            _tell(stage, str(error))
        for stream in filter(None, (sys.stdout, sys.stderr)):
            with suppress(OSError, ValueError):  # closed
                stream.flush()
        os._exit(code)


def refuse_changes(stage: str) -> None:
    """Fail a stage under which something has changed, before DVC records the change as what ran.

    Raises:
        UserError: naming what has changed.
    """
    if changed := unchanged.changes(stage):
        more = f" and {len(changed) - SHOWN} more" if len(changed) > SHOWN else ""
        raise UserError(
            f"{', '.join(changed[:SHOWN])}{more} changed while this stage ran, so what it made may belong to neither state; "
            "run `dvc repro` again"
        )


def _have_streams() -> None:
    """Let stdout show what its encoding has no letter for as an escape, as stderr does.

    A closed stream leads to nowhere from here on: the next file to be opened would get its number, and what a library
    prints would go there.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(
                os.devnull, os.O_RDWR
            )  # takes the lowest number that is free, which is this one
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - as long as the process
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _leave(name: str, line: str, code: int) -> NoReturn:
    _tell(name, line)
    sys.exit(code)


def _tell(name: str, line: str) -> None:
    print(f"{name}: {visible(' '.join(line.split()))[:LONGEST_LINE]}", file=sys.stderr, flush=True)
