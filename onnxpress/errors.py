"""The errors that a user can correct: one line each, and the exit code of a process.

A line says what was expected, what came, where (file or argument), and what to do. The library
names arguments in backquotes; whoever got the value from elsewhere says from where.

    UserError            2  wrong input
    ├── GateFailed       3  a limit was broken
    └── ServerError      4  a server failed
"""

from __future__ import annotations


class UserError(Exception):
    """Something the user can fix.

    The message says what was expected, what came, where, and what to do.
    """

    exit_code = 2


class GateFailed(UserError):
    """The models were made and measured, and a limit on them was broken."""

    exit_code = 3


class ServerError(UserError):
    """A server did not answer, or refused.

    It is that of tracking, its store, one that predicts, or the scheduler of a cluster.
    """

    exit_code = 4
