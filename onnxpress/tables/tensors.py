"""Tensors as inputs: an array for each input of a net, rows first, in a type that models take."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from math import prod

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from onnxpress.errors import UserError
from onnxpress.tables.names import NUMERIC_INPUT
from onnxpress.tables.schema import Column
from onnxpress.tables.wording import shown

Array = NDArray[np.generic]
Arrays = Mapping[str, Array]
"""Arrays by the name of their input, each (rows, ...)."""

AT_ONCE = 2**22
"""Values that are looked at together: of an array on the disk, only so many are in memory."""

TABLE = 2
"""Dimensions of a table."""


def is_table(arrays: Arrays) -> bool:
    """Return whether arrays are the columns of one table: a lone ``X`` (rows, columns)."""
    return list(arrays) == [NUMERIC_INPUT] and arrays[NUMERIC_INPUT].ndim == TABLE


def model_type(dtype: np.dtype[np.generic]) -> np.dtype[np.generic]:
    """Return the type in which a model takes numbers of another: uint8, int64 or float32."""
    if dtype in (np.bool_, np.uint8):
        return np.dtype(np.uint8)
    return np.dtype(np.float32 if dtype.kind == "f" else np.int64)


def tensor_columns(arrays: Arrays, rows: int, other: str = "the target") -> tuple[Column, ...]:
    """Describe the arrays, and see that a model can take them.

    Raises:
        UserError: one has another number of ``rows`` than the ``other``, has no dimension behind
            them, holds something else than numbers, a value that is not finite, or one that its
            type in a model cannot hold.
    """
    columns = []
    for name, values in arrays.items():
        what = f"array {shown(name)}"
        if values.dtype.kind not in "buif":
            raise UserError(f"{what} should be numbers, got the type {values.dtype}")
        if values.ndim < TABLE:
            raise UserError(
                f"{what} should have rows and values, got the shape {values.shape}; "
                "reshape it to (rows, 1)"
            )
        if len(values) != rows:
            raise UserError(f"{what} has {len(values)} rows, and {other} has {rows}")
        if not values.size:
            raise UserError(f"{what} should have rows and values, got the shape {values.shape}")
        check_values(values, what)
        kind = str(model_type(values.dtype))
        columns.append(Column(name, "tensor", missing=False, shape=values.shape[1:], dtype=kind))
    return tuple(columns)


def check_values(values: Array, what: str) -> None:
    """See that all values are finite in the type in which a model takes them.

    Raises:
        UserError: one is not; the line calls the array ``what`` and names the row.
    """
    at_once = max(1, AT_ONCE * len(values) // values.size)
    for start in range(0, len(values), at_once):
        part = values[start : start + at_once]
        typed = as_tensor(part)
        wrong = ~np.isfinite(typed) if typed.dtype.kind == "f" else typed != part
        if wrong.any():
            place = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
            came = f"{part[place]} in row {start + int(place[0]) + 1}"
            raise UserError(f"{what} has {came}; expected finite {typed.dtype} numbers")


def as_tensor(values: Array) -> Array:
    """Return numbers in the type in which a model takes them; see :func:`model_type`."""
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(values, model_type(values.dtype))


def as_bytes(values: Array, rows: NDArray[np.intp]) -> pa.FixedSizeBinaryArray:
    """Return the tensors of some ``rows`` as a column with the bytes of each row, little-endian.

    A column of lists would take several times the time and the memory.
    """
    typed = as_tensor(values[rows])
    typed = typed.astype(typed.dtype.newbyteorder("<"), copy=False)
    width = prod(values.shape[1:]) * typed.dtype.itemsize
    return pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(width), len(typed), [None, pa.py_buffer(typed.reshape(-1))]
    )


def from_bytes(stored: pa.ChunkedArray, column: Column) -> Array:
    """Return the tensors (rows, ...) in a stored column, as :func:`as_bytes` makes them.

    Raises:
        ValueError: it holds something else.
    """
    kind = np.dtype(column.dtype).newbyteorder("<")
    width = prod(column.shape) * kind.itemsize
    if stored.type != pa.binary(width):
        raise ValueError(f"column {shown(column.name)} should have {width} bytes a row")
    parts = [np.empty(0, kind)]
    for chunk in stored.chunks:
        content = np.frombuffer(
            chunk.buffers()[1], np.uint8, len(chunk) * width, chunk.offset * width
        )
        parts.append(content.view(kind))
    flat = np.concatenate(parts) if len(parts) > 2 else parts[-1]
    return flat.reshape(len(stored), *column.shape).astype(column.dtype, copy=False)


def digests(arrays: Arrays, rows: NDArray[np.intp]) -> list[bytes]:
    """Return for each of the ``rows`` a digest of all its tensors: equal ones have equal rows."""
    found = []
    for row in rows:
        digest = blake2b(digest_size=16)
        for values in arrays.values():
            digest.update(np.ascontiguousarray(values[row]).tobytes())
        found.append(digest.digest())
    return found
