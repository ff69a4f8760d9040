"""Read FlatBuffers within bounds: tables, strings and vectors of plain numbers.

A table begins with the distance back to its vtable, which lists where each field lies; a field of
another table, a string or a vector holds the distance to it. All numbers are little-endian. See
https://flatbuffers.dev/internals/. Every access is checked, and a distance leads forwards only, so
that damaged bytes raise ``Unreadable`` and no walk goes on for ever. The tables of a vector are
distinct, and callers limit their number, so that a few bytes cannot become much memory. The
flatbuffers package reads without these checks.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.boosters.model import Unreadable

WORD = 4
SHORT = 2**12
"""Bytes of a text that is a name."""
_FORMATS = {"bool": "<?", "int8": "<b", "int32": "<i", "float32": "<f", "float64": "<d"}


class Table:
    """A table at a place in the bytes of a buffer; its fields are known by their numbers."""

    def __init__(self, buffer: memoryview, place: int) -> None:
        """Find the fields of the table at ``place``.

        Raises:
            Unreadable: there is no table.
        """
        self._buffer = buffer
        self._place = place
        vtable = place - _number(buffer, "<i", place)
        size = _number(buffer, "<H", vtable)
        if size < WORD or size % 2 or vtable < 0 or vtable + size > len(buffer):
            raise Unreadable("is damaged: a table without a list of its fields")
        self._fields = struct.unpack_from(f"<{size // 2 - 2}H", buffer, vtable + WORD)

    @classmethod
    def root(cls, buffer: memoryview) -> Table:
        """Return the table that a buffer begins with the distance to."""
        return cls(buffer, _number(buffer, "<I", 0))

    def number(self, field: int, kind: str, default: Any) -> Any:
        """Return a number; ``kind`` is "bool", "int8", "int32", "float32" or "float64"."""
        place = self._field(field)
        return default if place is None else _number(self._buffer, _FORMATS[kind], place)

    def table(self, field: int) -> Table | None:
        """Return a table, or None if the field is absent."""
        place = self._target(field)
        return None if place is None else Table(self._buffer, place)

    def text(self, field: int, most: int = SHORT) -> str:
        """Return a text of at most ``most`` bytes, empty if the field is absent.

        Raises:
            Unreadable: it is longer, or not UTF-8.
        """
        place = self._target(field)
        return "" if place is None else _text(self._buffer, place, most)

    def texts(self, field: int, most: int) -> list[str]:
        """Return a vector of at most ``most`` short texts."""
        return [_text(self._buffer, place, SHORT) for place in self._targets(field, most)]

    def tables(self, field: int, most: int) -> list[Table]:
        """Return a vector of at most ``most`` tables."""
        return [Table(self._buffer, place) for place in self._targets(field, most)]

    def array(self, field: int, dtype: Any) -> NDArray[Any]:
        """Return a vector of numbers or structs (elements,), empty if the field is absent."""
        place = self._target(field)
        if place is None:
            return np.zeros(0, dtype)
        return _array(self._buffer, place, np.dtype(dtype))

    def _field(self, field: int) -> int | None:
        offset = self._fields[field] if field < len(self._fields) else 0
        return self._place + offset if offset else None

    def _target(self, field: int) -> int | None:
        place = self._field(field)
        return None if place is None else _forward(self._buffer, place)

    def _targets(self, field: int, most: int) -> list[int]:
        place = self._target(field)
        if place is None:
            return []
        count = len(_array(self._buffer, place, np.dtype("<u4")))
        if count > most:
            raise Unreadable(f"has {count} entries where {most} are read")
        found = [_forward(self._buffer, place + WORD * (1 + index)) for index in range(count)]
        if len(set(found)) < count:
            raise Unreadable("is damaged: an entry is listed twice")
        return found


def _number(buffer: memoryview, form: str, place: int) -> Any:
    if place < 0 or place + struct.calcsize(form) > len(buffer):
        raise Unreadable("is damaged or cut: it points behind its end")
    return struct.unpack_from(form, buffer, place)[0]


def _forward(buffer: memoryview, place: int) -> int:
    distance: int = _number(buffer, "<I", place)
    if distance < WORD:
        raise Unreadable("is damaged: a part of it points to itself")
    return place + distance


def _array(buffer: memoryview, place: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    count: int = _number(buffer, "<I", place)
    start = place + WORD
    if count * dtype.itemsize > len(buffer) - start:
        raise Unreadable("is damaged or cut: a list in it is longer than the file")
    return np.frombuffer(buffer, dtype, count, start)


def _text(buffer: memoryview, place: int, most: int) -> str:
    found = _array(buffer, place, np.dtype(np.uint8))
    if len(found) > most:
        raise Unreadable(f"has a text of {len(found)} bytes where {most} are read")
    try:
        return found.tobytes().decode()
    except UnicodeDecodeError as error:
        raise Unreadable("is damaged: a text in it is not UTF-8") from error
