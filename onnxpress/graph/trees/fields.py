"""Put long arrays into protobuf's repeated fields, several times faster than as Python objects.

An AttributeProto is filled by letting protobuf parse the wire form of the elements, which numpy
makes. Two of its wire types are enough: packed repeated fields, which every parser accepts for
these fields, and length-delimited strings.

Source: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import AttributeProto

Array = npt.NDArray[Any]

CHUNK = 1 << 15
"""Elements encoded at a time, so that the work stays in the processor's cache."""

_LENGTH_DELIMITED = 2
_TAGS = {
    name: bytes([AttributeProto.DESCRIPTOR.fields_by_name[name].number << 3 | _LENGTH_DELIMITED])
    for name in ("ints", "floats", "strings")
}


def replace(attribute: AttributeProto, array: Array) -> None:
    """Replace the elements of ``attribute``, in place, by those of ``array`` (n,).

    ``array`` holds float32, bytes (dtype "S", without zeros at their ends) or integers from 0
    below 2^31.

    Raises:
        ValueError: an integer is negative; its wire form is another.
    """
    encoders = {"f": ("floats", _float32s), "S": ("strings", _strings)}
    name, encode = encoders.get(array.dtype.kind, ("ints", _varints))
    if name == "ints" and array.size and array.min() < 0:
        raise ValueError(f"attribute {attribute.name!r} has negative elements")
    data = b"".join(encode(array[start : start + CHUNK]) for start in range(0, len(array), CHUNK))
    if name != "strings":
        data = _TAGS[name] + _varints(np.array([len(data)])) + data
    attribute.ClearField(name)
    attribute.MergeFromString(data)


def _float32s(values: Array) -> bytes:
    return values.astype("<f4").tobytes()


def _varints(values: Array) -> bytes:
    """Encode numbers in base 128, lowest digit first; all bytes but a number's last have bit 7 set.

    Of the numbers 3, 300 and 5 the longest has two digits, 300 = 2 * 128 + 44:

        digits   [[3, 0], [44 | 128, 2], [5, 0]]
        present  [[1, 0], [1, 1], [1, 0]]
        bytes    3  172 2  5
    """
    width = max(1, -(-int(values.max()).bit_length() // 7))
    if width == 1:
        return values.astype(np.uint8).tobytes()
    digits = np.empty((len(values), width), np.uint8)
    present = np.ones((len(values), width), bool)
    rest = values.astype(np.uint32)
    for place in range(width):
        digits[:, place] = rest & 0x7F
        rest >>= 7
        if place + 1 < width:
            np.not_equal(rest, 0, out=present[:, place + 1])
            digits[:, place] |= present[:, place + 1].view(np.uint8) << 7
    return digits[present].tobytes()


def _strings(values: Array) -> bytes:
    """Encode each text with its own tag and its length (below 128).

    numpy pads the shorter texts with zeros, which are left out. Of "LEAF" and "EQ", tag 42:

        elements  [[42, 4, L, E, A, F], [42, 2, E, Q, 0, 0]]
        bytes     42 4 L E A F  42 2 E Q
    """
    width = values.dtype.itemsize
    elements = np.empty((len(values), 2 + width), np.uint8)
    elements[:, 0], elements[:, 1] = _TAGS["strings"][0], np.strings.str_len(values)
    elements[:, 2:] = np.ascontiguousarray(values).view(np.uint8).reshape(-1, width)
    present = elements != 0
    present[:, 1] = True
    return bytes(elements[present])
