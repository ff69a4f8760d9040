"""The attributes of a node, read once into arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxpress.onnx_file.errors import BadModel


class Attributes:
    """What a node says of itself; an attribute that it does not have is empty."""

    def __init__(self, node: onnx.NodeProto, width: int | None) -> None:
        """Keep the attributes by name.

        A name that comes twice is refused. ``width``: columns of its input, if known.
        """
        self.width = width
        self.operator, self.inputs = node.op_type, len(node.input)
        self._found = {item.name: item for item in node.attribute}
        if len(self._found) < len(node.attribute):
            raise BadModel("it has an attribute twice")
        if called := [item.name for item in node.attribute if item.ref_attr_name]:
            raise BadModel(
                f"its {called[0][:60]} is what the call of a function gives; "
                f"export the model without that function"
            )

    def has(self, name: str) -> bool:
        """Whether there is one of this name."""
        return name in self._found

    def count(self, name: str) -> int:
        """The number of values of a list; 0 if it has none."""
        item = self._found.get(name)
        return 0 if item is None else len(item.ints) + len(item.floats) + len(item.strings)

    def size(self, name: str) -> int:
        """The number of values of a list or of a tensor."""
        item = self._found.get(name)
        if item is None:
            return 0
        return math.prod(item.t.dims) if item.HasField("t") else self.count(name)

    def number(self, name: str, default: int) -> int:
        """A whole number."""
        return int(self._found[name].i) if name in self._found else default

    def ints(self, name: str) -> NDArray[np.int64]:
        """Whole numbers, (count,)."""
        values: Any = self._found[name].ints if name in self._found else ()
        return np.fromiter(values, np.int64, len(values))

    def strings(self, name: str) -> list[bytes]:
        """Texts."""
        return list(self._found[name].strings) if name in self._found else []

    def tensor(self, name: str) -> NDArray[Any]:
        """The values of a tensor in a row; empty if there is none."""
        item = self._found.get(name)
        if item is None or not item.HasField("t"):
            return np.empty(0, np.float32)
        return np.asarray(onnx.numpy_helper.to_array(item.t)).reshape(-1)
