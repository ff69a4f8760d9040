"""Keys of dicts in skops files: JSON has text only, and the type of each lies beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from onnxpress.estimators.stored.errors import Damaged
from onnxpress.estimators.stored.nodes import Global, Made
from onnxpress.estimators.stored.npy import dtype_node

NUMPY_SCALARS = {
    *("bool", "bool_", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *(
        "intc",
        "uintc",
        "longlong",
        "ulonglong",
        "float16",
        "float32",
        "float64",
        "complex64",
        "complex128",
    ),
    *("str_", "bytes_", "datetime64", "timedelta64"),
}
"""Classes of single numbers and of text, in the module numpy."""

_TRUTH = {"true": True, "false": False}


def _nothing(key: str) -> None:
    if key != "null":
        raise ValueError(key)


KEYS: dict[str, Callable[[str], Any]] = {
    "builtins.NoneType": _nothing,
    "builtins.bool": _TRUTH.__getitem__,
    "builtins.float": float,
    "builtins.int": int,
    "builtins.str": str,
}
"""What makes a key of its text, by its class. ``bool("false")``, which skops calls, is True."""


def key_of(text: str, kind: Any) -> Any:
    """The key, a value or the node of a numpy scalar.

    Raises:
        Damaged: ``kind`` is no class whose objects skops writes as keys, or the text is none of it.
    """
    path = kind.path if isinstance(kind, Global) else "something"
    try:
        if path in KEYS:
            return KEYS[path](text)
        if isinstance(kind, Global) and kind.module == "numpy" and kind.name in NUMPY_SCALARS:
            return scalar_node(_numpy_key(text, kind.name))
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise Damaged(f"a dict has the key {text[:40]!a}, which is no {path}") from error
    raise Damaged(f"a dict has a key of {path[:80]}, which is not a value")


def _numpy_key(text: str, name: str) -> np.generic:
    dtype = np.dtype(name)
    value: Any = text
    if dtype.kind in "biuf":
        value = _TRUTH[text] if dtype.kind == "b" else (float if dtype.kind == "f" else int)(text)
    return np.array(value, dtype)[()]  # type: ignore[return-value] # a scalar, for it has no dimensions


def scalar_node(value: np.generic) -> Made:
    """A numpy scalar as pickle has it."""
    return Made(
        Global("numpy._core.multiarray", "scalar"),
        "call",
        [dtype_node(value.dtype.str), value.tobytes()],
    )
