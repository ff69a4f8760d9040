"""Whether a stored tensor holds as many values as it says, and holds them in the file."""

from __future__ import annotations

import math

import onnx
from onnx import TensorProto, numpy_helper

LARGEST = 2**31
"""Bytes of a dense tensor: a protobuf file cannot hold more."""
TYPES: dict[int, tuple[int, str, float]] = {
    TensorProto.FLOAT: (32, "float_data", 1),
    TensorProto.UINT8: (8, "int32_data", 1),
    TensorProto.INT8: (8, "int32_data", 1),
    TensorProto.UINT16: (16, "int32_data", 1),
    TensorProto.INT16: (16, "int32_data", 1),
    TensorProto.INT32: (32, "int32_data", 1),
    TensorProto.INT64: (64, "int64_data", 1),
    TensorProto.STRING: (0, "string_data", 1),
    TensorProto.BOOL: (8, "int32_data", 1),
    TensorProto.FLOAT16: (16, "int32_data", 1),
    TensorProto.DOUBLE: (64, "double_data", 1),
    TensorProto.UINT32: (32, "uint64_data", 1),
    TensorProto.UINT64: (64, "uint64_data", 1),
    TensorProto.COMPLEX64: (64, "float_data", 0.5),
    TensorProto.COMPLEX128: (128, "double_data", 0.5),
    TensorProto.BFLOAT16: (16, "int32_data", 1),
    TensorProto.FLOAT8E4M3FN: (8, "int32_data", 1),
    TensorProto.FLOAT8E4M3FNUZ: (8, "int32_data", 1),
    TensorProto.FLOAT8E5M2: (8, "int32_data", 1),
    TensorProto.FLOAT8E5M2FNUZ: (8, "int32_data", 1),
    TensorProto.UINT4: (4, "int32_data", 2),
    TensorProto.INT4: (4, "int32_data", 2),
    TensorProto.FLOAT4E2M1: (4, "int32_data", 2),
    TensorProto.FLOAT8E8M0: (8, "int32_data", 1),
    TensorProto.UINT2: (2, "int32_data", 4),
    TensorProto.INT2: (2, "int32_data", 4),
}
"""By data type: bits of a value in ``raw_data``, the other field, and values per entry of it."""
FIELDS = ("float_data", "int32_data", "string_data", "int64_data", "double_data", "uint64_data")


def check_tensor(tensor: onnx.TensorProto) -> str | None:
    """What is wrong with a tensor, if anything."""
    return _elsewhere(tensor) or _unknown(tensor) or _unfit(tensor)


def _elsewhere(tensor: onnx.TensorProto) -> str | None:
    if tensor.data_location != TensorProto.DEFAULT or tensor.external_data:
        place = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
        named = f" ({place[:100]!r})" if place else ""
        return f"keeps weights in another file{named}; save the model with all its weights inside"
    return "is a part of a tensor; save it whole" if tensor.HasField("segment") else None


def _unknown(tensor: onnx.TensorProto) -> str | None:
    if tensor.data_type not in TYPES:
        return f"has the data type {tensor.data_type}, which is not supported"
    return (
        f"has negative dimensions {list(tensor.dims)[:9]}"
        if any(size < 0 for size in tensor.dims)
        else None
    )


def _unfit(tensor: onnx.TensorProto) -> str | None:
    """What does not fit between dimensions, type and values."""
    bits, field, per_entry = TYPES[tensor.data_type]
    count = math.prod(tensor.dims)
    filled = [name for name in FIELDS if len(getattr(tensor, name))]
    if tensor.raw_data:
        if filled or not bits:
            return "holds its values twice, or texts as raw bytes"
        return _unlike(tensor, "bytes", -(-count * bits // 8), len(tensor.raw_data))
    if filled and filled != [field]:
        return f"holds values in {' and '.join(filled)}, which are not of its type"
    expected = math.ceil(count / per_entry) if count < LARGEST else count
    return _unlike(tensor, "values", expected, len(getattr(tensor, field)))


def _unlike(tensor: onnx.TensorProto, what: str, expected: int, held: int) -> str | None:
    if expected == held:
        return None
    dimensions = list(tensor.dims)[:9]
    return f"has the dimensions {dimensions}, so it needs {expected} {what}, and holds {held}"


def check_sparse(tensor: onnx.SparseTensorProto) -> str | None:
    """What is wrong with a sparse tensor, if anything.

    Its two tensors are checked by themselves.
    """
    dims, values, indices = list(tensor.dims), tensor.values, tensor.indices
    if check_tensor(values) or check_tensor(indices):
        return None  # said of the tensor
    if any(size < 0 for size in dims) or not dims:
        return f"has the dimensions {dims}; expected one or more that are not negative"
    if math.prod(dims) * TYPES[values.data_type][0] // 8 > LARGEST:
        return f"has the dimensions {dims}, more than {LARGEST} bytes"
    if indices.data_type != TensorProto.INT64 or len(values.dims) != 1:
        return "should have one dimension of values, and indices of int64"
    count, whole = values.dims[0], math.prod(dims)
    if list(indices.dims) not in ([count], [count, len(dims)]):
        return f"has {count} values and indices of the shape {list(indices.dims)}"
    found = numpy_helper.to_array(indices)
    limit = dims if found.ndim > 1 else whole
    return (
        "has indices that are out of bounds"
        if count and bool(((found < 0) | (found >= limit)).any())
        else None
    )
