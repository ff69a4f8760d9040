"""The attributes of a node: read as numpy arrays, written from numpy arrays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from onnxpress.graph.trees.forest import Floats

CHUNK = 1 << 20  # elements handed to protobuf at once: bounds the memory of Python integers


@dataclass(frozen=True)
class Attributes:
    """Typed access to the attributes of one node; absent ones are empty."""

    node: onnx.NodeProto
    dtype: np.dtype[Any]

    @cached_property
    def by_name(self) -> dict[str, onnx.AttributeProto]:
        """The attributes by their names."""
        return {attribute.name: attribute for attribute in self.node.attribute}

    def ints(self, name: str) -> NDArray[np.int64]:
        """A repeated integer attribute, (n,) int64."""
        values = self.by_name[name].ints if name in self.by_name else ()
        return np.fromiter(values, np.int64, len(values))

    def integer(self, name: str, default: int) -> int:
        """An integer attribute."""
        return int(self.by_name[name].i) if name in self.by_name else default

    def text(self, name: str, default: str) -> str:
        """A string attribute."""
        return self.by_name[name].s.decode() if name in self.by_name else default

    def floats(self, name: str) -> Floats:
        """A repeated float attribute or its ``_as_tensor`` twin, (n,) in the forest's dtype."""
        if f"{name}_as_tensor" in self.by_name:
            return self.tensor(f"{name}_as_tensor").astype(self.dtype, copy=False)
        values = self.by_name[name].floats if name in self.by_name else ()
        return np.fromiter(values, self.dtype, len(values))

    def tensor(self, name: str) -> NDArray[Any]:
        """A tensor attribute as it is stored."""
        return (
            numpy_helper.to_array(self.by_name[name].t)
            if name in self.by_name
            else np.zeros(0, self.dtype)
        )


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
