"""Which scikit-learn wrote a stored model, read from its bytes: nothing of the file is loaded for it."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import BinaryIO

CHUNK = 1 << 20
OVERLAP = 400
_VERSION = re.compile(rb"_sklearn_version.{0,300}?(\d+\.\d+(?:\.(?:dev|post)?\d+)*(?:(?:a|b|rc)\d+)?)", re.DOTALL)


def written_by(path: Path) -> str | None:
    """The version that the first estimator of scikit-learn in a pickle, joblib or skops file carries; None if none does."""
    from joblib.numpy_pickle_utils import _validate_fileobject_and_memmap

    try:
        if path.suffix == ".skops":
            with zipfile.ZipFile(path) as archive, archive.open("schema.json") as text:
                return _version(text)  # type: ignore[arg-type] # it reads bytes
        with path.open("rb") as raw, _validate_fileobject_and_memmap(raw, str(path), None) as (file, _):
            return None if isinstance(file, str) else _version(file)
    except Exception:  # a damaged file leads to any exception, and names no version
        return None


def _version(file: BinaryIO) -> str | None:
    before = b""
    while chunk := file.read(CHUNK):
        found = _VERSION.search(before + chunk)
        if found is not None:
            return found[1].decode("ascii", "replace")
        before = (before + chunk)[-OVERLAP:]
    return None
