"""Write columns of 0 and 1 for splits on combinations of what several features hold."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from onnxpress.boosters.model import Crossing, Digit
from onnxpress.conversion.container_writer import ContainerWriter
from onnxpress.graph.bit_table import bit_table

BYTE = 2**8


def crossing_columns(rows: str, crossing: Crossing, writer: ContainerWriter) -> str:
    """Write (rows, splits) for the features ``rows``, float32 (rows, features).

    The digits of a row are one number, below 2**24 and so exact, that a table gives its pattern of
    0 and 1 for:

        digits 2 of 3, 0 of 2    number 2 * 2 + 0 = 4    pattern[4] = 1    right[1] = 0 1 1
    """
    number = ""
    for digit in crossing.digits:
        own = _digit(rows, digit, writer)
        if number:
            size = writer.constant(np.array(digit.size, np.float32))
            own = writer.add("Add", writer.add("Mul", number, size), own)
        number = own
    place = writer.add("Cast", number, to=TensorProto.INT64)
    small = len(crossing.right) <= BYTE
    pattern = crossing.pattern.astype(np.uint8 if small else np.int32)
    found = writer.add("Gather", writer.constant(pattern), place, axis=0)
    row = writer.add("Cast", found, to=TensorProto.INT64)
    flat = writer.add("Reshape", row, writer.constant(np.array([-1], np.int64)))
    return writer.add("Gather", bit_table(crossing.right, writer), flat, axis=0)


def _digit(rows: str, digit: Digit, writer: ContainerWriter) -> str:
    """Write the digit of each row (rows, 1) as float32."""
    feature = writer.constant(np.array([digit.feature], np.int64))
    value = writer.add("Gather", rows, feature, axis=1)
    if digit.borders is None:
        one = writer.constant(np.array(1, np.float32))
        above = writer.add("Add", value, one)
    else:
        greater = writer.add("Greater", value, writer.constant(digit.borders[None]))
        counted = writer.add("Cast", greater, to=TensorProto.FLOAT)
        above = writer.reduce("ReduceSum", counted, 1, keepdims=True)
    present = writer.add("Equal", value, value)
    missing = writer.constant(np.array(digit.missing, np.float32))
    return writer.add("Where", present, above, missing)
