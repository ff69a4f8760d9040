"""Arrays in numpy's own file format (.npy), as inert nodes. The header is matched, never evaluated.

The format: numpy.lib.format, "Format Specification".
"""

from __future__ import annotations

import re
import struct
from typing import Any

from onnxpress.estimators.stored.errors import Damaged
from onnxpress.estimators.stored.nodes import Array, Global, Made, Mapping, Tuple

MAGIC = b"\x93NUMPY"
LENGTHS = {b"\1\0": struct.Struct("<H"), b"\2\0": struct.Struct("<I"), b"\3\0": struct.Struct("<I")}
"""How each version of the format says how long its header is."""

LONGEST_HEADER = 10_000
"""Bytes; numpy reads no longer ones either, unless it is asked to."""

_PLAIN = r"[<>|=]?[?a-zA-Z][0-9]{0,9}(?:\[[0-9a-zA-Z]{1,20}\])?"
_FIELD = rf"\('\w{{0,200}}', '{_PLAIN}'\)"
_HEADER = re.compile(
    rf"\{{'descr': (?:'(?P<plain>{_PLAIN})'|\[(?P<fields>{_FIELD}(?:, {_FIELD})*)\]), "
    r"'fortran_order': (?P<order>True|False), 'shape': \((?P<shape>[0-9, ]{0,600})\), \} *\n?"
)
_NAMED = re.compile(rf"\('(\w{{0,200}})', '({_PLAIN})'\)")
OBJECTS = "O"
RECORD_FLAGS = 16
"""What numpy writes of a record of plain fields."""


def array_of(file: memoryview) -> Array:
    """The array of a .npy file, its dtype as pickle would have it.

    Raises:
        Damaged: it is no .npy file, or its objects are pickled in it.
    """
    text, data = _header(file)
    found = _HEADER.fullmatch(text)
    if found is None:
        raise Damaged("an array's header is not as numpy writes it")
    numbers = [part for part in found["shape"].replace(" ", "").split(",") if part]
    plain = found["plain"]
    if plain is not None and OBJECTS in plain:
        raise Damaged("an array's objects are pickled in it")
    dtype = record(_NAMED.findall(found["fields"])) if plain is None else dtype_node(plain)
    return Array(tuple(map(int, numbers)), dtype, "F" if found["order"] == "True" else "C", data)


def dtype_node(spelled: str) -> Made:
    """The dtype of that spelling, as pickle would have it."""
    return Made(Global("numpy", "dtype"), "call", [spelled, False, True])


def _header(file: memoryview) -> tuple[str, memoryview]:
    version = bytes(file[len(MAGIC) : len(MAGIC) + 2])
    length = LENGTHS.get(version) if file[: len(MAGIC)] == MAGIC else None
    begin = len(MAGIC) + 2 + (length.size if length else 0)
    if length is None or len(file) < begin:
        raise Damaged("an array is no .npy file")
    (size,) = length.unpack(file[begin - length.size : begin])
    if size > LONGEST_HEADER or len(file) < begin + size:
        raise Damaged("an array's header is cut or too long")
    return bytes(file[begin : begin + size]).decode("latin-1"), file[begin + size :]


def record(fields: list[tuple[str, str]]) -> Made:
    """The dtype of records with these fields in a row; those without a name are padding.

    An example: ("a", "u1"), ("", "|V7"), ("b", "<f8") has a at byte 0, b at byte 8, and 16 bytes.
    """
    places: list[tuple[Any, Any]] = []
    offset = 0
    for name, kind in fields:
        if name:
            places.append((name, Tuple([dtype_node(kind), offset])))
        offset += _width(kind)
    named = Tuple([name for name, _ in places])
    state = Tuple([3, "|", None, named, Mapping(places), offset, 1, RECORD_FLAGS])
    return Made(Global("numpy", "dtype"), "call", [f"V{offset}", False, True], states=[state])


def _width(kind: str) -> int:
    """Bytes of a plain dtype."""
    digits = re.fullmatch(r"[<>|=]?([?a-zA-Z])([0-9]*)", kind)
    if digits is None or not (digits[2] or digits[1] in "?bB"):
        raise Damaged("a field of an array's records has no width")
    return int(digits[2] or 1) * (4 if digits[1] == "U" else 1)
