"""The files that stages hand to each other, and the one way to write them: atomically, always the same bytes."""

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
"""Where a file lies in DVC's cache, wherever that lies."""

SIGNIFICANT_DIGITS = 6

TEMPORARY = ".unfinished-"
"""What the name of a folder begins with in which an output becomes whole; then the id of the process that writes it."""


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A path for a file or folder that replaces ``path`` when the block ends well, and is removed when it does not.

    A file is replaced at once. Of a folder a kill leaves the old one, the new one, or none; never a part.

    Raises:
        UserError: the folder cannot be written to, or the disk is full.
    """
    workshop: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        workshop = Path(
            tempfile.mkdtemp(prefix=f"{TEMPORARY}{os.getpid()}-{path.stem}-", dir=path.parent)
        )
        temporary = workshop / path.name
        yield temporary
        if temporary.is_dir() and path.is_dir():
            path.replace(workshop / "old")
        temporary.replace(path)
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror or error}; free or unlock the folder and run again"
        ) from error
    finally:
        if workshop is not None:
            shutil.rmtree(workshop, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Remove what processes that are no more have left unfinished: SIGKILL leaves nobody to do it."""
    for left in folder.glob(f"{TEMPORARY}*"):
        import psutil  # hardly ever needed

        owner = left.name.removeprefix(TEMPORARY).partition("-")[0]
        if not (owner.isdigit() and psutil.pid_exists(int(owner))):
            shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink(
                missing_ok=True
            )


def write_bytes(path: Path, data: bytes | memoryview) -> None:
    """Write ``data`` to ``path`` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_folder(path: Path, contents: Mapping[str, bytes]) -> None:
    """Write a folder of files by name; one that stands there is replaced whole."""
    with atomic_path(path) as temporary:
        temporary.mkdir()
        for name, data in contents.items():
            (temporary / name).write_bytes(data)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write sorted, rounded JSON with a newline at its end. NaN and infinities raise ValueError: leave them out."""
    write_bytes(path, f"{json_text(_rounded(content))}\n".encode())


def read_json(path: Path, *keys: str) -> dict[str, Any]:
    """Read a JSON object that an earlier stage has written.

    Raises:
        UserError: the file is missing, is not a JSON object, or lacks one of ``keys``.
    """
    try:
        content = json.loads(read_bytes(path))
    except ValueError as error:
        raise UserError(
            f"{path} should hold JSON but does not ({error}); run `dvc repro` to make it again"
        ) from error
    if not isinstance(content, dict):
        raise UserError(
            f"{path} should hold a JSON object, got {type(content).__name__}; run `dvc repro` to make it again"
        )
    if missing := [key for key in keys if key not in content]:
        raise UserError(f"{path} lacks {missing[0]!r}; run `dvc repro` to make it again")
    return content


def read_numbers(path: Path) -> dict[str, float]:
    """Read a flat JSON object of numbers.

    Raises:
        UserError: as :func:`read_json`, or a value is not a number.
    """
    content = read_json(path)
    for key, value in content.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise UserError(
                f"{path} should hold numbers only, got {key}: {value!r}; run `dvc repro` to make it again"
            )
    return content


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a file that an earlier stage has written.

    Raises:
        UserError: the file is missing or unreadable.
    """
    return reading.read_bytes(path, cure="run `dvc repro` to make it")


def placed(name: str, folder: Path, key: str) -> Path:
    """The path of the existing file that ``key`` of params.yaml names, in ``folder``, which DVC watches.

    Raises:
        UserError: it lies elsewhere, is no file, or may not be read.
        FileNotFoundError: there is nothing in that place.
    """
    path, place = Path(name), f"{PARAMS}: {key}"
    came = shortened(repr(name))
    try:
        inside = path.resolve().is_relative_to(folder.resolve()) or _from_cache(path, folder)
        mode = path.stat().st_mode if inside else 0
    except FileNotFoundError:
        raise
    except UnicodeEncodeError as error:
        usual = (
            "the locale has no letters for; set PYTHONUTF8=1 or a locale of UTF-8 (LC_ALL=C.UTF-8)"
        )
        raise UserError(f"{place} names {came}, which {usual}") from error
    except (
        OSError,
        RuntimeError,
        ValueError,
    ) as error:  # links in a circle, a NUL, too many letters
        why = getattr(error, "strerror", None) or str(error)
        raise UserError(
            f"{place} names {came}, which cannot be opened ({shortened(why)}); correct the name"
        ) from error
    if not inside:
        how = (
            ", a link to elsewhere; copy the file there" if path.is_symlink() else "; move it there"
        )
        raise UserError(
            f"{place} should lie under {folder}/ so that DVC sees it change, got {came}{how}"
        )
    if stat.S_ISDIR(mode):
        raise UserError(f"{place} names {came}, which is a folder; name a file")
    if not stat.S_ISREG(mode):
        raise UserError(f"{place} names {came}, which is a pipe or a device; name a file")
    if not os.access(path, os.R_OK):
        raise UserError(f"{place} names {came}, which you may not read; correct its permissions")
    return path


def _from_cache(path: Path, folder: Path) -> bool:
    """Whether it is a link in ``folder`` to a file in DVC's cache, as DVC makes where ``cache.type`` is ``symlink``."""
    return path.parent.resolve().is_relative_to(folder.resolve()) and bool(
        CACHED.search(path.resolve().as_posix())
    )


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
