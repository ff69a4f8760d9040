"""The existing file that a key of params.yaml names."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path

from onnxpress.errors import UserError
from onnxpress.pipeline.copies import absent
from onnxpress.pipeline.outputs import PARAMS
from onnxpress.text import shortened

CACHED = re.compile(r"/files/md5/[0-9a-f]{2}/[0-9a-f]{30}$")
"""The end of a file's path in DVC's cache, wherever the cache is."""


def named_file(
    name: str, key: str, folder: Path, suffixes: Sequence[str], instead: str = ""
) -> Path:
    """Return the path of the file that ``key`` names, in ``folder``, which DVC watches.

    ``instead`` is what the line about a wrong name says may be named instead of a file.

    Raises:
        UserError: its name ends with none of ``suffixes``, it does not exist, is elsewhere, or
            cannot be read.
    """
    came = shortened(repr(name))
    if Path(name).suffix not in suffixes:
        kinds = f"a {', '.join(suffixes[:-1])} or {suffixes[-1]} file in {folder}/"
        raise UserError(f"{PARAMS}: {key} should be {instead}{kinds}, got {came}")
    try:
        return placed(name, folder, key)
    except FileNotFoundError as error:
        usual = "which does not exist; put the file there or correct the name"
        raise UserError(f"{PARAMS}: {key} names {came}, {absent(name, usual)}") from error


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
