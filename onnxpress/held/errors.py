"""Why a held process gave no answer."""

from __future__ import annotations

import signal


class Lost(Exception):
    """No answer came. The message says why, as the end of a sentence about what was held."""


class NotStarted(Lost):
    """The process could not be started, which says nothing of the file."""


class OutOfTime(Lost):
    """It was not done within its limit of time."""


class OutOfMemory(Lost):
    """It needed more than its limit of memory, or than the machine has."""


class Died(Lost):
    """It ended without an answer, or its answer is not one that our own code gives."""

    @classmethod
    def by_signal(cls, number: int) -> Died:
        """It was ended by a signal, of a crash or of its own."""
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = f"signal {number}"
        return cls(f"crashed with {name}")


class Failed(Lost):
    """Our code in there raised an exception that it does not expect.

    The message has its type and text.
    """
