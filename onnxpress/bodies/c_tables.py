"""Constant tables of C, each in the smallest type that holds its numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_TYPES = ("uint8", "int8", "uint16", "int16", "int32")
_WIDTH = 96
WIDTHS = {f"{kind}_t": np.dtype(kind).itemsize for kind in (*_TYPES, "int64")} | {"float": 4}
"""Bytes of a number."""
MOST_SHARED = 2**16


class Tables:
    """Tables of one source file, in the order in which they were asked for."""

    def __init__(self) -> None:
        """No tables yet."""
        self.lines: list[str] = []
        self.bytes: list[int] = []
        """What each takes."""

    def whole(self, name: str, values: NDArray[Any]) -> str:
        """Write whole numbers; return ``name``."""
        kind = next(each for each in _TYPES if _holds(np.iinfo(each), values))
        self._write(f"{kind}_t", name, [str(value) for value in values.ravel().tolist()])
        return name

    def shared(self, name: str, values: NDArray[Any], index: str) -> str:
        """Write numbers, and return C for that at ``index``.

        Each different number is written once, behind a table of which it is, if that is smaller.
        """
        distinct, number = np.unique(values.ravel(), return_inverse=True)
        width = 1 if len(distinct) <= 2**8 else 2
        smaller = width * values.size + distinct.nbytes < values.nbytes
        if smaller and len(distinct) <= MOST_SHARED:
            self.whole(f"{name}_number", number)
            self._numbers(name, distinct)
            return f"{name}[{name}_number[{index}]]"
        self._numbers(name, values)
        return f"{name}[{index}]"

    def floats(self, name: str, values: NDArray[Any]) -> str:
        """Write float32 numbers; return ``name``."""
        self._write("float", name, [number(value) for value in values.ravel().tolist()])
        return name

    def _numbers(self, name: str, values: NDArray[Any]) -> None:
        if values.dtype.kind == "f":
            self.floats(name, values)
        else:
            self.whole(name, values)

    def _write(self, kind: str, name: str, items: list[str]) -> None:
        items = items or ["0"]  # C has no empty tables
        self.bytes.append(len(items) * WIDTHS[kind])
        self.lines.append(f"static const {kind} {name}[{len(items)}] = {{")
        self.lines += wrapped(items)
        self.lines.append("};")


def number(value: float) -> str:
    """Write a float32 number as C does.

    >>> number(1.0), number(0.1), number(-3e20)
    ('1.0f', '0.1f', '-3e+20f')
    """
    text = str(np.float32(value))
    return f"{text if any(mark in text for mark in '.en') else text + '.0'}f"


def wrapped(items: list[str]) -> list[str]:
    """Lines of items with commas."""
    lines, line = [], "   "
    for item in items:
        if len(line) + len(item) > _WIDTH:
            lines.append(line)
            line = "   "
        line += f" {item},"
    return [*lines, line]


def _holds(limits: Any, values: NDArray[Any]) -> bool:
    return not values.size or bool(limits.min <= values.min() and values.max() <= limits.max)
