"""Read and write the files that stages pass to each other: atomically, always the same bytes."""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from onnxpress import reading
from onnxpress.errors import UserError
from onnxpress.text import json_text

SIGNIFICANT_DIGITS = 6
"""Of a number in a JSON output."""

TEMPORARY = ".unfinished-"
"""The prefix of a folder in which an output is written; then comes the id of the process."""


TO_MAKE, AGAIN = "run `dvc repro` to make it", "run `dvc repro` to make it again"


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a path for a file or folder that replaces ``path`` if the block succeeds.

    It is removed if the block fails. A file is replaced at once. If the process is killed, a
    folder is the old one, the new one, or missing, but never a part of one.

    Raises:
        UserError: the folder cannot be written to, or the disk is full.
    """
    folder: Path | None = None
    prefix = f"{TEMPORARY}{os.getpid()}-{path.stem}-"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_unfinished(path.parent)
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=path.parent))
        temporary = folder / path.name
        yield temporary
        if temporary.is_dir() and path.is_dir():
            path.replace(folder / "old")
        temporary.replace(path)
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror or error}; "
            "free or unlock the folder and run again"
        ) from error
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def remove_unfinished(folder: Path) -> None:
    """Remove unfinished outputs of processes that have ended: after SIGKILL nobody else does."""
    for left in folder.glob(f"{TEMPORARY}*"):
        import psutil  # hardly ever needed

        owner = left.name.removeprefix(TEMPORARY).partition("-")[0]
        if owner.isdigit() and psutil.pid_exists(int(owner)):
            continue
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes | memoryview) -> None:
    """Write ``data`` to ``path`` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_parts(path: Path, parts: Iterable[bytes]) -> None:
    """Write bytes that come in parts to ``path`` atomically."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.writelines(parts)


def write_folder(path: Path, contents: Mapping[str, bytes]) -> None:
    """Write a folder of files by name, such as ``a`` or ``b/c``; an old one is replaced whole."""
    with atomic_path(path) as temporary:
        temporary.mkdir()
        for name, data in contents.items():
            file = temporary / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON with sorted keys and rounded numbers.

    Raises:
        ValueError: there is a NaN or an infinity; leave it out.
        UserError: the file cannot be written.
    """
    write_bytes(path, f"{json_text(_rounded(content))}\n".encode())


def read_json(path: Path, *keys: str) -> dict[str, Any]:
    """Read a JSON object that an earlier stage has written.

    Raises:
        UserError: the file is missing, is not a JSON object, or lacks one of ``keys``.
    """
    try:
        content = json.loads(read_bytes(path))
    except ValueError as error:
        raise UserError(f"{path} should hold JSON but does not ({error}); {AGAIN}") from error
    if not isinstance(content, dict):
        came = type(content).__name__
        raise UserError(f"{path} should hold a JSON object, got {came}; {AGAIN}")
    if missing := [key for key in keys if key not in content]:
        raise UserError(f"{path} lacks {missing[0]!r}; {AGAIN}")
    return content


def read_numbers(path: Path) -> dict[str, float]:
    """Read a flat JSON object of numbers.

    Raises:
        UserError: as :func:`read_json`, or a value is not a number.
    """
    content = read_json(path)
    for key, value in content.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise UserError(f"{path} should hold numbers only, got {key}: {value!r}; {AGAIN}")
    return content


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a file that an earlier stage wrote.

    Raises:
        UserError: the file is missing or unreadable.
    """
    return reading.read_bytes(path, cure=TO_MAKE)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return _round_significant(value)
    if isinstance(value, Mapping):
        return {str(key): _rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    return value


def _round_significant(value: float) -> float:
    if value == 0 or not math.isfinite(value):
        return value
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
