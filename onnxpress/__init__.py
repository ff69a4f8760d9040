"""From fitted scikit-learn estimators to ONNX models that are smaller, faster, and proved.

======================  ==============================================================
:func:`convert`         a fitted estimator as an ONNX model
:func:`compress`        the smallest or fastest ONNX model within a budget
:func:`compare`         how two models differ on the same rows
:func:`measure`         how long models take, side by side
:func:`load_estimator`  an estimator from a file of which nothing runs before it is judged
======================  ==============================================================

A wrong argument raises :class:`UserError`, whose message is one line. Importing this package
imports nothing else: each function imports its libraries when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnxpress.api.comparison import Comparison, compare
    from onnxpress.api.compression import Compressed, compress
    from onnxpress.api.conversion import convert
    from onnxpress.api.latencies import Latencies, measure
    from onnxpress.api.loading import load_estimator
    from onnxpress.errors import UserError

__all__ = [
    "Comparison",
    "Compressed",
    "Latencies",
    "UserError",
    "compare",
    "compress",
    "convert",
    "load_estimator",
    "measure",
]

_PLACES = {
    "Comparison": "api.comparison",
    "Compressed": "api.compression",
    "Latencies": "api.latencies",
    "UserError": "errors",
    "compare": "api.comparison",
    "compress": "api.compression",
    "convert": "api.conversion",
    "load_estimator": "api.loading",
    "measure": "api.latencies",
}
"""The module of each public name."""


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, also those that are not imported yet."""
    return sorted({*globals(), *__all__})
