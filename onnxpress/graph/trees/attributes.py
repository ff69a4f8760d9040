"""Read the attributes of a tree operator as numpy arrays, and write them from numpy arrays.

Their names and types are those of :mod:`onnxpress.onnx_file.tree_attributes`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from onnxpress.graph.trees import fields

Floats = NDArray[Any]
"""float32, or float64 for trees over double inputs."""

MOST_FAST = 2**31
"""Whole numbers from 0 below this are written in one go."""


@dataclass(frozen=True)
class TreeAttributes:
    """Typed access to the attributes of one tree operator; absent ones are empty.

    ``dtype`` is what the operator compares and adds in: float64 for a double input, else float32.
    """

    node: onnx.NodeProto
    dtype: np.dtype[Any]

    @cached_property
    def by_name(self) -> dict[str, onnx.AttributeProto]:
        """The attributes by their names."""
        return {attribute.name: attribute for attribute in self.node.attribute}

    def ints(self, name: str) -> NDArray[np.int64]:
        """Read a repeated integer attribute, (n,) int64."""
        values = self.by_name[name].ints if name in self.by_name else ()
        return np.fromiter(values, np.int64, len(values))

    def integer(self, name: str, default: int) -> int:
        """Read an integer attribute."""
        return int(self.by_name[name].i) if name in self.by_name else default

    def text(self, name: str, default: str) -> str:
        """Read a string attribute."""
        return self.by_name[name].s.decode() if name in self.by_name else default

    def floats(self, name: str) -> Floats:
        """Read a repeated float attribute or its ``_as_tensor`` twin, (n,) in ``dtype``."""
        if f"{name}_as_tensor" in self.by_name:
            return self.tensor(f"{name}_as_tensor").astype(self.dtype, copy=False)
        values = self.by_name[name].floats if name in self.by_name else ()
        return np.fromiter(values, self.dtype, len(values))

    def tensor(self, name: str) -> NDArray[Any]:
        """Read a tensor attribute as it is stored."""
        if name not in self.by_name:
            return np.zeros(0, self.dtype)
        return numpy_helper.to_array(self.by_name[name].t)

    @property
    def labels(self) -> NDArray[np.int64] | tuple[str, ...]:
        """The class labels of a TreeEnsembleClassifier, int64 or texts."""
        found = self.by_name.get("classlabels_strings")
        texts = found.strings if found else ()
        return tuple(text.decode() for text in texts) or self.ints("classlabels_int64s")


def integer(node: onnx.NodeProto, name: str, value: int) -> None:
    """Write an integer attribute."""
    node.attribute.add(name=name, type=onnx.AttributeProto.INT, i=value)


def text(node: onnx.NodeProto, name: str, value: str) -> None:
    """Write a string attribute."""
    node.attribute.add(name=name, type=onnx.AttributeProto.STRING, s=value.encode())


def ints(node: onnx.NodeProto, name: str, values: NDArray[Any]) -> None:
    """Write a repeated integer attribute from any integer or boolean array."""
    attribute = node.attribute.add(name=name, type=onnx.AttributeProto.INTS)
    if not len(values):
        return
    if values.min() >= 0 and values.max() < MOST_FAST:
        fields.replace(attribute, values.astype(np.int64, copy=False))
    else:
        attribute.ints.extend(values.astype(np.int64).tolist())


def floats(node: onnx.NodeProto, name: str, values: Floats) -> None:
    """Write a repeated float attribute, or its ``_as_tensor`` twin for values beyond float32.

    Writes nothing for an empty array.
    """
    if not np.array_equal(values.astype(np.float32), values):
        tensor(node, f"{name}_as_tensor", values)
    elif len(values):
        attribute = node.attribute.add(name=name, type=onnx.AttributeProto.FLOATS)
        fields.replace(attribute, values)


def strings(node: onnx.NodeProto, name: str, values: Iterable[bytes]) -> None:
    """Write a repeated string attribute."""
    node.attribute.add(name=name, type=onnx.AttributeProto.STRINGS).strings.extend(values)


def tensor(node: onnx.NodeProto, name: str, values: NDArray[Any]) -> None:
    """Write a tensor attribute with raw data. Writes nothing for an empty array."""
    if len(values):
        stored = numpy_helper.from_array(np.ascontiguousarray(values))
        node.attribute.add(name=name, type=onnx.AttributeProto.TENSOR).t.CopyFrom(stored)
