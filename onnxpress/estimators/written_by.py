"""Which scikit-learn wrote a stored model, read from its bytes; nothing of the file is loaded."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path

from onnxpress.estimators.stored.archive import Archive
from onnxpress.estimators.stored.skops_entry import SCHEMA
from onnxpress.estimators.stored.unpacking import unpacked

LARGEST = 2 << 30
"""Bytes of a compressed file that are searched."""

MOST_KEYS = 1000
"""Keys of versions that are tried: an estimator's has its version behind it, but a file may hold
others."""

FAR = 340
"""Bytes from the key to the end of the version, in schema.json."""

_KEY = re.compile(rb"_sklearn_version")

_VERSION = re.compile(rb"\d{1,4}\.\d{1,4}(?:\.(?:dev|post)?\d{1,8}){0,4}(?:(?:a|b|rc)\d{1,4})?")


def written_by(path: Path) -> str | None:
    """Return the version of the first estimator of scikit-learn in a pickle, joblib or skops file.

    None if the file names no version, or is damaged.
    """
    try:
        data = path.read_bytes()
        view = Archive(data).read(SCHEMA) if path.suffix == ".skops" else unpacked(data, LARGEST)
    except Exception:  # a damaged file leads to any exception
        return None
    for key in islice(_KEY.finditer(view), MOST_KEYS):
        found = _VERSION.search(view[key.end() : key.end() + FAR])
        if found is not None:
            return found[0].decode("ascii")
    return None
