"""The file formats that estimators are stored in by pickle and joblib."""

from __future__ import annotations

import io
import pickle
from typing import Any

import joblib

FORMATS = ("pickle 2", "pickle 4", "pickle 5", "joblib", "joblib, compressed")


def written(estimator: Any, kind: str) -> bytes:
    """The bytes of a file of one of the ``FORMATS``."""
    if kind.startswith("pickle"):
        return pickle.dumps(estimator, int(kind[-1]))
    file = io.BytesIO()
    joblib.dump(estimator, file, compress=3 if kind.endswith("compressed") else 0)
    return file.getvalue()


def plain(data: bytes, kind: str) -> Any:
    """What the libraries themselves load."""
    return pickle.loads(data) if kind.startswith("pickle") else joblib.load(io.BytesIO(data))  # noqa: S301 - written here
