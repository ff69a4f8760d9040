"""Reading a file that the caller names."""

from __future__ import annotations

from pathlib import Path

from onnxpress.errors import UserError


def read_bytes(path: Path, cure: str = "check the path and its permissions") -> bytes:
    """Return the bytes of the file at ``path``.

    Raises:
        UserError: the file is missing or unreadable; the line ends with ``cure``.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path} ({error.strerror}); {cure}") from error
