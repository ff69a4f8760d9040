"""The existing file that a key of params.yaml names."""

from __future__ import annotations

from pathlib import Path

from onnxpress.errors import UserError
from onnxpress.pipeline.copies import absent
from onnxpress.pipeline.files import placed
from onnxpress.pipeline.outputs import PARAMS
from onnxpress.text import shortened


def named_file(name: str, key: str, folder: Path, expected: str, *suffixes: str) -> Path:
    """The path of the file that ``key`` names, in ``folder``, which DVC watches.

    Raises:
        UserError: its name ends with none of ``suffixes``, which the line calls ``expected``; it
            does not exist, lies elsewhere, or cannot be read.
    """
    came = shortened(repr(name))
    if Path(name).suffix not in suffixes:
        raise UserError(f"{PARAMS}: {key} should be {expected}, got {came}")
    try:
        return placed(name, folder, key)
    except FileNotFoundError as error:
        usual = "which does not exist; put the file there or correct the name"
        raise UserError(f"{PARAMS}: {key} names {came}, {absent(name, usual)}") from error
