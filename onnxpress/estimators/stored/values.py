"""Functions and types that a file may hold."""

from __future__ import annotations

import importlib
from typing import Any

VALUES = {f"numpy.{name}": None for name in ("float32", "float64", "int32", "int64")}


def value(path: str) -> Any:
    """The object of a name in VALUES."""
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)
