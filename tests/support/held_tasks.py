"""Tasks for held children, which only tests have: what a hostile file would do if it could."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

Done = tuple[dict[str, Any], tuple[bytes, ...]]


def attempt(path: Any, source: str) -> Done:
    """Run Python source; what it leaves in ``found``, or the OSError that it ended with."""
    libc = ctypes.CDLL(None, use_errno=True)
    names: dict[str, Any] = {
        "path": path,
        "os": os,
        "socket": socket,
        "subprocess": subprocess,
        "sys": sys,
        "libc": libc,
    }
    names |= {"Path": Path, "ctypes": ctypes}
    try:
        exec(source, names)  # noqa: S102 - the test's own
    except OSError as error:
        return {"error": error.errno}, ()
    return {"found": names.get("found")}, ()


def crash(_path: Any, _arguments: Any) -> Done:
    """Read memory that there is not."""
    ctypes.string_at(0)
    return {}, ()


def hang(_path: Any, _arguments: Any) -> Done:
    """Never return to the interpreter."""
    sum(iter(int, 1))
    return {}, ()


def leave(_path: Any, _arguments: Any) -> Done:
    """End as if all was well."""
    os._exit(0)


def exit_well(_path: Any, _arguments: Any) -> Done:
    """Ask the interpreter to end as if all was well."""
    sys.exit(0)


def grow(_path: Any, _arguments: Any) -> Done:
    """Take more memory than there is."""
    bytearray(1 << 45)
    return {}, ()


def talk(_path: Any, _arguments: Any) -> Done:
    """An answer with a line that is none."""
    return {"lines": [7], "refused": None, "kind": None}, (b"x", b"")


def dump_a_call(_path: Any, _arguments: Any) -> Done:
    """As if all was well, with a dump that runs a command wherever it is unpickled."""
    return {"lines": [], "refused": None, "kind": None}, (b"cos\nsystem\n(S'touch mark'\ntR.", b"")


def command_the_terminal(_path: Any, _arguments: Any) -> Done:
    """A line and a reason that would command a terminal."""
    return {"lines": ["\x1b[2Jline"], "refused": "\x1b[2Jreason", "kind": None}, (b"", b"")
