"""The classes whose objects are made by ``__new__`` and a checked ``__dict__``."""

from __future__ import annotations

import importlib
from typing import Any

from onnxpress.estimators.stored.errors import Damaged


def known_class(module: str, name: str) -> type | None:
    """The class of that name, None if it is not in the grammar."""
    if not module.startswith("sklearn.") or "test" in module:
        return None
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ImportError:
        return None
    return found if isinstance(found, type) and found.__module__ == module else None


def set_state(instance: Any, state: Any) -> None:
    """Set the attributes of an object.

    Raises:
        Damaged: no dict of attributes.
    """
    if type(state) is not dict or not all(type(key) is str and not key.startswith("__") for key in state):
        raise Damaged(f"the state of a {type(instance).__name__} is no dict of attributes")
    instance.__dict__.update({key: value for key, value in state.items() if key != "_sklearn_version"})
