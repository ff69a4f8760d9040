"""Read and write the files that stages pass to each other: atomically, always the same bytes."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from onnxpress import reading
from onnxpress.errors import UserError
from onnxpress.pipeline.outputs import PARAMS
from onnxpress.text import json_text, shortened

CACHED = re.compile(r"/files/md5/[0-9a-f]{2}/[0-9a-f]{30}$")
"""The end of a file's path in DVC's cache, wherever the cache is."""

SIGNIFICANT_DIGITS = 6
"""Of a number in a JSON output."""

TEMPORARY = ".unfinished-"
"""The prefix of a folder in which an output is written; then comes the id of the process."""


AGAIN = "run `dvc repro` to make it again"


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
        _remove_unfinished(path.parent)
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


def _remove_unfinished(folder: Path) -> None:
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


def write_folder(path: Path, contents: Mapping[str, bytes]) -> None:
    """Write a folder of files by name; an existing one is replaced as a whole."""
    with atomic_path(path) as temporary:
        temporary.mkdir()
        for name, data in contents.items():
            (temporary / name).write_bytes(data)


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
    return reading.read_bytes(path, cure="run `dvc repro` to make it")


def placed(name: str, folder: Path, key: str) -> Path:
    """Return the path of the existing file that ``key`` of params.yaml names.

    It must be in ``folder``, which DVC watches.

    Raises:
        UserError: it is elsewhere, is not a file, or may not be read.
        FileNotFoundError: there is no such file.
    """
    path, named = Path(name), f"{PARAMS}: {key} names {shortened(repr(name))}"
    try:
        inside = path.resolve().is_relative_to(folder.resolve()) or _from_cache(path, folder)
        mode = path.stat().st_mode if inside else stat.S_IFREG
    except FileNotFoundError:
        raise
    except UnicodeEncodeError as error:
        cure = "set PYTHONUTF8=1 or a locale of UTF-8 (LC_ALL=C.UTF-8)"
        raise UserError(f"{named}, which the locale has no letters for; {cure}") from error
    except (OSError, RuntimeError, ValueError) as error:  # links in a circle, a NUL, a long name
        why = shortened(getattr(error, "strerror", None) or str(error))
        raise UserError(f"{named}, which cannot be opened ({why}); correct the name") from error
    if not inside:
        linked = path.is_symlink()
        cure = ", a link to elsewhere; copy the file there" if linked else "; move it there"
        raise UserError(
            f"{PARAMS}: {key} should lie under {folder}/ so that DVC sees it change, "
            f"got {shortened(repr(name))}{cure}"
        )
    if problem := _problem(path, mode):
        raise UserError(f"{named}, which {problem}")
    return path


def _problem(path: Path, mode: int) -> str | None:
    """Return why an existing path cannot be used, and what to do; None if it is a readable file."""
    if stat.S_ISDIR(mode):
        return "is a folder; name a file"
    if not stat.S_ISREG(mode):
        return "is a pipe or a device; name a file"
    if not os.access(path, os.R_OK):
        return "you may not read; correct its permissions"
    return None


def _from_cache(path: Path, folder: Path) -> bool:
    """Whether it is a link in ``folder`` to a file in DVC's cache.

    DVC makes such links where ``cache.type`` is ``symlink``.
    """
    in_folder = path.parent.resolve().is_relative_to(folder.resolve())
    return in_folder and bool(CACHED.search(path.resolve().as_posix()))


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
