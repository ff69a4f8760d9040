"""Reading a file that the caller names."""

from __future__ import annotations

from io import BufferedReader
from pathlib import Path

from onnxpress.errors import UserError

USUAL = "check the path and its permissions"


def read_bytes(path: Path, cure: str = USUAL) -> bytes:
    """Return the bytes of the file at ``path``.

    Raises:
        UserError: the file is missing or unreadable; the line ends with ``cure``.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path} ({error.strerror}); {cure}") from error


def open_bytes(path: Path, cure: str = USUAL) -> BufferedReader:
    """Open the file at ``path`` to be read in pieces.

    Raises:
        UserError: the file is missing or unreadable; the line ends with ``cure``.
    """
    try:
        return path.open("rb")
    except OSError as error:
        raise UserError(f"cannot read {path} ({error.strerror}); {cure}") from error
