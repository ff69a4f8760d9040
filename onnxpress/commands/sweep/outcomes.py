"""What became of a point: measured, refused by a gate, or failed, and why in one line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from onnxpress.errors import GateFailed, ServerError, UserError
from onnxpress.text import shortened

EXITED = re.compile(r"failed to reproduce '(\w+)': .* exited with (-?\d+)")
INTERRUPTED = "was interrupted"


@dataclass(frozen=True)
class Outcome:
    """The metrics of a finished point, or why it failed."""

    metrics: Mapping[str, float]

    reason: str = ""
    """Why it failed; empty if it did not."""

    exit_code: int | None = None
    """That of the failed stage; None if no stage has ended."""

    @property
    def settled(self) -> bool:
        """Whether another run would end the same.

        It would if the point is measured, or its params or the models that they make are at fault.
        """
        return not self.reason or self.exit_code in {UserError.exit_code, GateFailed.exit_code}

    @property
    def gated(self) -> bool:
        """Whether a gate stopped it, which is a result like any other."""
        return self.exit_code == GateFailed.exit_code

    @property
    def error(self) -> type[UserError]:
        """The error that a sweep with this outcome ends with."""
        return ServerError if self.exit_code == ServerError.exit_code else UserError


def failure(log: str, setup_error: str = "") -> Outcome:
    """Return the outcome of an experiment that has failed.

    Args:
        log: what its stages have printed.
        setup_error: why none was started, if DVC says so.
    """
    found = EXITED.search(log)
    if not found:
        said = shortened((setup_error or log.rstrip().rpartition("\n")[2]).strip())
        return Outcome({}, f"{INTERRUPTED}: {said}" if said else INTERRUPTED)
    stage, code = found[1], int(found[2])
    lines = [line for line in log.splitlines() if line.startswith(f"{stage}: ")]
    unsaid = f"{stage}: ended with exit code {code}; `dvc queue logs` shows more"
    return Outcome({}, lines[-1] if lines else unsaid, code)
