"""Read Universal Binary JSON, as XGBoost writes it, in memory bounded by the size of the file.

Source: https://ubjson.org, draft 12. A value is a type character and its bytes, big-endian:

    {                    an object
      L 4 "name" S L 4 "dart"      a key, without the S, and a string
      L 5 "trees" [ # L 2 ...      an array of 2 values
      L 5 "right" [ $ l # L 3 ...  an array of 3 whole numbers of 32 bits: a numpy array here
    }

Arrays with a type have a width for each element, so that no count can ask for more than the file
has. Objects nest no deeper than ``DEPTH``. High-precision numbers and typed objects are refused:
XGBoost neither writes nor reads them.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from onnxpress.boosters.model import Unreadable

DEPTH = 32
"""XGBoost's own documents nest to about 8."""

_NUMBERS = {"i": ">i1", "U": ">u1", "I": ">i2", "l": ">i4", "L": ">i8", "d": ">f4", "D": ">f8"}
_TYPES = {ord(letter): np.dtype(name) for letter, name in _NUMBERS.items()}
_SINGLE = {
    ord(letter): struct.Struct(">" + code)
    for letter, code in zip("iUIlLdD", "bBhiqfd", strict=True)
}
_WHOLE = frozenset(b"iUIlL")
_CONSTANTS = {ord("Z"): None, ord("T"): True, ord("F"): False}


def read_ubjson(content: bytes) -> Any:
    """Return the value that ``content`` holds, an object as a dict.

    Raises:
        Unreadable: the bytes are no UBJSON, end early, or go on after the value.
    """
    reader = _Reader(content)
    value = reader.value(0)
    if reader.at != len(content):
        raise reader.error(f"{len(content) - reader.at} bytes follow the end of the document")
    return value


class _Reader:
    def __init__(self, content: bytes) -> None:
        self.content, self.at = content, 0

    def error(self, what: str) -> Unreadable:
        return Unreadable(f"is no whole UBJSON file: {what}, at byte {self.at}")

    def take(self, count: int) -> bytes:
        if not 0 <= count <= len(self.content) - self.at:
            raise self.error(f"{count} bytes expected, {len(self.content) - self.at} left")
        self.at += count
        return self.content[self.at - count : self.at]

    def next_is(self, letter: bytes) -> bool:
        """Whether ``letter`` comes next; if so, pass it."""
        if self.content[self.at : self.at + 1] != letter:
            return False
        self.at += 1
        return True

    def value(self, depth: int) -> Any:
        kind = self.take(1)[0]
        if kind in _CONSTANTS:
            return _CONSTANTS[kind]
        if kind in _SINGLE:
            return self.number(kind)
        if kind == ord("S"):
            return self.text()
        if kind not in b"{[":
            raise self.error(f"unknown type {chr(kind)!r}")
        if depth == DEPTH:
            raise self.error(f"nested deeper than {DEPTH}")
        return self.mapping(depth + 1) if kind == ord("{") else self.array(depth + 1)

    def number(self, kind: int) -> int | float:
        form = _SINGLE[kind]
        found: int | float = form.unpack(self.take(form.size))[0]
        return found

    def count(self) -> int:
        kind = self.take(1)[0]
        if kind not in _WHOLE:
            raise self.error(f"a count of type {chr(kind)!r}")
        found = int(self.number(kind))
        if found < 0:
            raise self.error("a negative count")
        return found

    def text(self) -> str:
        try:
            return self.take(self.count()).decode()
        except UnicodeDecodeError as error:
            raise self.error("a string that is not UTF-8") from error

    def mapping(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not self.next_is(b"}"):
            key = self.text()
            if key in found:
                raise self.error(f"the key {key[:40]!r} comes twice")
            found[key] = self.value(depth)
        return found

    def array(self, depth: int) -> Any:
        if self.next_is(b"$"):
            return self.numbers()
        if self.next_is(b"#"):
            return [self.value(depth) for _ in range(self.count())]
        found = []
        while not self.next_is(b"]"):
            found.append(self.value(depth))
        return found

    def numbers(self) -> Any:
        kind = self.take(1)[0]
        if kind not in _TYPES:
            raise self.error(f"an array of type {chr(kind)!r}")
        if not self.next_is(b"#"):
            raise self.error("an array with a type but no count")
        form = _TYPES[kind]
        raw = self.take(self.count() * form.itemsize)
        return np.frombuffer(raw, form).astype(form.newbyteorder("="))
