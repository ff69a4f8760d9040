"""The one place for errors that a user can mend: one line on stderr, a documented exit code, no traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable


class UserError(Exception):
    """Something the user can mend. The message says what was expected, what came, where, and what to do."""

    exit_code = 2


class GateFailed(UserError):
    """The models were made and measured, and a limit under ``gate:`` in params.yaml was broken."""

    exit_code = 3


class ServerError(UserError):
    """The tracking server or its artefact store did not answer, or refused."""

    exit_code = 4


def run_stage(name: str, main: Callable[[], None]) -> None:
    """Run a stage's ``main`` and leave the process with its exit code.

    Exit codes: 0 done, 1 a bug (with its traceback), 2 :class:`UserError`, 3 :class:`GateFailed`,
    4 :class:`ServerError`, 130 interrupted.
    """
    try:
        main()
    except UserError as error:
        print(f"{name}: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print(f"{name}: interrupted; finished stages are kept, `dvc repro` goes on from here", file=sys.stderr)
        sys.exit(130)
