"""The errors that a user can fix: one line each, and the exit code of the process."""

from __future__ import annotations


class UserError(Exception):
    """Something the user can fix.

    The message says what was expected, what came, where, and what to do.
    """

    exit_code = 2


class GateFailed(UserError):
    """The models were made and measured, and a limit under ``gate:`` was broken."""

    exit_code = 3


class ServerError(UserError):
    """The tracking server or its artefact store did not answer, or refused."""

    exit_code = 4
