"""Writing the attributes of a node: numpy arrays in, protobuf fields out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from stages.quantize.forest.forest import Floats

CHUNK = 1 << 20  # elements handed to protobuf at once: bounds the memory of Python integers


def integer(node: onnx.NodeProto, name: str, value: int) -> None:
    """An integer attribute."""
    node.attribute.add(name=name, type=onnx.AttributeProto.INT, i=value)


def text(node: onnx.NodeProto, name: str, value: str) -> None:
    """A string attribute."""
    node.attribute.add(name=name, type=onnx.AttributeProto.STRING, s=value.encode())


def ints(node: onnx.NodeProto, name: str, values: NDArray[Any]) -> None:
    """A repeated integer attribute from any integer or boolean array."""
    attribute = node.attribute.add(name=name, type=onnx.AttributeProto.INTS)
    for start in range(0, len(values), CHUNK):
        attribute.ints.extend(values[start : start + CHUNK].astype(np.int64).tolist())


def floats(node: onnx.NodeProto, name: str, values: Floats) -> None:
    """A repeated float attribute, or its ``_as_tensor`` twin for values beyond float32. Nothing for an empty array."""
    if not np.array_equal(values.astype(np.float32), values):
        tensor(node, f"{name}_as_tensor", values)
    elif len(values):
        attribute = node.attribute.add(name=name, type=onnx.AttributeProto.FLOATS)
        for start in range(0, len(values), CHUNK):
            attribute.floats.extend(values[start : start + CHUNK].tolist())


def strings(node: onnx.NodeProto, name: str, values: Iterable[bytes]) -> None:
    """A repeated string attribute."""
    node.attribute.add(name=name, type=onnx.AttributeProto.STRINGS).strings.extend(values)


def tensor(node: onnx.NodeProto, name: str, values: NDArray[Any]) -> None:
    """A tensor attribute with raw data. Nothing for an empty array."""
    if len(values):
        stored = numpy_helper.from_array(np.ascontiguousarray(values))
        node.attribute.add(name=name, type=onnx.AttributeProto.TENSOR).t.CopyFrom(stored)
