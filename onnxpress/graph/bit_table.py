"""Store a table of 0 and 1 as bits, which a runtime unpacks once, when it loads the model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from onnxpress.graph.writer import Writer

BITS = 8


def bit_table(table: NDArray[np.bool_], writer: Writer, to: int = TensorProto.FLOAT) -> str:
    """Write ``table`` (rows, columns) in the element type ``to``, by operators that opset 10 has.

    Rows of zeros follow, up to a multiple of 8.

    Eight rows are a row of bytes. The column 1 0 1 is stored as 5 = 1 + 4; divided by 1, 2, 4, 8
    and so on it is 5 2 1 0 0 0 0 0, of which the remainders by 2 are the column and five zeros.
    """
    packed = np.packbits(table, axis=0, bitorder="little")[:, None, :]
    whole = writer.add("Cast", writer.constant(packed), to=TensorProto.INT32)
    powers = writer.constant(np.array(1 << np.arange(BITS), np.int32)[:, None])
    shifted = writer.add("Div", whole, powers)
    bits = writer.add("Mod", shifted, writer.constant(np.array(2, np.int32)))
    shape = writer.constant(np.array([BITS * len(packed), table.shape[1]], np.int64))
    return writer.add("Cast", writer.add("Reshape", bits, shape), to=to)
