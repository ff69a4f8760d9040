"""Tasks for held children: what a hostile file would do if it ran."""

from __future__ import annotations

import os
import socket
import subprocess
from typing import Any


def attempt(_path: Any, source: str) -> tuple[dict[str, Any], tuple[bytes, ...]]:
    """Run Python source; what it leaves in ``found``, or the name of the error that it ended with."""
    names: dict[str, Any] = {"path": _path, "os": os, "socket": socket, "subprocess": subprocess}
    try:
        exec(source, names)  # noqa: S102 - the test's own
    except OSError as error:
        return {"error": type(error).__name__, "number": error.errno}, ()
    return {"found": names.get("found")}, ()
