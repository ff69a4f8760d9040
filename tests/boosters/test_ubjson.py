"""UBJSON against its specification, draft 12 (https://ubjson.org)."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest

from onnxpress.boosters.model import Unreadable
from onnxpress.boosters.ubjson import DEPTH, read_ubjson

KINDS = {"i": "i1", "U": "u1", "I": "i2", "l": "i4", "L": "i8", "d": "f4", "D": "f8"}


def text(value: bytes) -> bytes:
    return b"L" + struct.pack(">q", len(value)) + value


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"Z", None),
        (b"T", True),
        (b"F", False),
        (b"i\xff", -1),
        (b"U\xff", 255),
        (b"I\x01\x00", 256),
        (b"l\xff\xff\xff\xfe", -2),
        (b"L" + struct.pack(">q", 2**40), 2**40),
        (b"d" + struct.pack(">f", 0.5), 0.5),
        (b"D" + struct.pack(">d", 0.1), 0.1),
        (b"S" + text("é".encode()), "é"),
        (b"Si\x02ab", "ab"),
        (b"[]", []),
        (b"[TF]", [True, False]),
        (b"[#i\x02TF", [True, False]),
        (b"{}", {}),
        (b"{" + text(b"a") + b"i\x01i\x01bZ}", {"a": 1, "b": None}),
    ],
)
def test_each_type_is_read(content: bytes, value: Any) -> None:
    found = read_ubjson(content)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(("letter", "kind"), list(KINDS.items()))
def test_arrays_with_a_type_become_numpy_s(letter: str, kind: str) -> None:
    values = np.array([1, 2, 100], kind)
    content = b"[$" + letter.encode() + b"#i\x03" + values.astype(">" + kind).tobytes()
    found = read_ubjson(content)
    assert found.dtype == kind
    assert found.tolist() == [1, 2, 100]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", "1 bytes expected, 0 left"),
        (b"N", "unknown type 'N'"),
        (b"Hi\x011", "unknown type 'H'"),
        (b"TT", "1 bytes follow the end"),
        (b"l\x00", "4 bytes expected, 1 left"),
        (b"[T", "1 bytes expected, 0 left"),
        (b"[#i\xffT", "a negative count"),
        (b"[#d\x00\x00\x00\x00", "a count of type 'd'"),
        (b"[$Z#L" + struct.pack(">q", 2**40), "an array of type 'Z'"),
        (b"[$l#L" + struct.pack(">q", 2**61), "bytes expected, 0 left"),
        (b"[$l]", "an array with a type but no count"),
        (b"Si\x01\xff", "a string that is not UTF-8"),
        (b"{i\x01aTi\x01aT}", "the key 'a' comes twice"),
        (b"[" * (DEPTH + 1), f"nested deeper than {DEPTH}"),
        (b"[" * 100_000, f"nested deeper than {DEPTH}"),
    ],
)
def test_what_is_damaged_ends_in_a_line(content: bytes, line: str) -> None:
    with pytest.raises(Unreadable, match="is no whole UBJSON file") as error:
        read_ubjson(content)
    assert line in str(error.value)
    assert "\n" not in str(error.value)
