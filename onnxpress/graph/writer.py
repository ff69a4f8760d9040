"""Writing ONNX operators one after another, the same way into a graph and into a converter's container."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

_AXES_AS_INPUT = {
    "ReduceSum": 13,
    "ReduceMean": 18,
    "ReduceMax": 18,
    "ReduceSumSquare": 18,
    "ReduceL2": 18,
}
"""The ai.onnx version from which a reduction takes its axes as an input."""


class Writer(ABC):
    """Adds operators of ai.onnx ``opset`` and constants; each call returns the name of the value it made."""

    opset: int

    @abstractmethod
    def write(
        self, op_type: str, inputs: tuple[str, ...], outputs: list[str], attributes: dict[str, Any]
    ) -> None:
        """One operator of ai.onnx."""

    @abstractmethod
    def name(self, base: str) -> str:
        """A name that starts with ``base`` and that nothing else has."""

    @abstractmethod
    def constant(self, values: NDArray[Any], name: str = "c") -> str:
        """An initializer, whose name starts with ``name``."""

    def add(self, op_type: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """One operator with one output, which gets a name of its own unless ``output`` gives it."""
        output = output or self.name("v")
        self.write(op_type, inputs, [output], attributes)
        return output

    def add_pair(self, op_type: str, *inputs: str, **attributes: Any) -> tuple[str, str]:
        """One operator with two outputs."""
        outputs = self.name("v"), self.name("v")
        self.write(op_type, inputs, list(outputs), attributes)
        return outputs

    def whole(self, values: NDArray[Any], to: int = TensorProto.FLOAT, name: str = "c") -> str:
        """Whole numbers stored in as few bytes as they need; the cast is computed once, when a runtime loads the model."""
        kind = (
            np.min_scalar_type(values.max())
            if values.min() >= 0
            else np.min_scalar_type(-int(np.abs(values).max()))
        )
        return self.add("Cast", self.constant(values.astype(kind), name), to=to)

    def reduce(
        self, op_type: str, values: str, axis: int, *, keepdims: bool = True, output: str = ""
    ) -> str:
        """ReduceSum and its kin along one axis."""
        if self.opset < _AXES_AS_INPUT[op_type]:
            return self.add(op_type, values, output=output, axes=[axis], keepdims=int(keepdims))
        axes = self.constant(np.array([axis], np.int64))
        return self.add(op_type, values, axes, output=output, keepdims=int(keepdims))

    def labels(self, scores: str, classes: NDArray[Any], output: str) -> str:
        """The label of the first greatest of ``scores`` (rows, classes), int64 or string."""
        text = classes.dtype.kind in "UO"
        if not text and np.array_equal(classes, np.arange(len(classes))):
            return self.add("ArgMax", scores, output=output, axis=1, keepdims=0)
        best = self.add("ArgMax", scores, axis=1, keepdims=0)
        kind = object if text else np.int64
        return self.add("Gather", self.constant(classes.astype(kind)), best, output=output, axis=0)


class GraphWriter(Writer):
    """Writes to the end of ``graph``, under names that nothing in it uses."""

    def __init__(self, graph: onnx.GraphProto, opset: int, taken: set[str]) -> None:
        """``taken`` are the names that may not be used; it grows."""
        self.graph, self.opset, self._taken = graph, opset, taken

    def write(
        self, op_type: str, inputs: tuple[str, ...], outputs: list[str], attributes: dict[str, Any]
    ) -> None:
        """See Writer."""
        self.graph.node.append(helper.make_node(op_type, inputs, outputs, **attributes))

    def constant(self, values: NDArray[Any], name: str = "c") -> str:
        """See Writer."""
        name = self.name(name)
        self.graph.initializer.append(numpy_helper.from_array(values, name))
        return name

    def name(self, base: str) -> str:
        """See Writer."""
        name = next(
            name
            for number in itertools.count()
            if (name := f"{base}{number or ''}") not in self._taken
        )
        self._taken.add(name)
        return name


def names_of(model: onnx.ModelProto) -> set[str]:
    """The names of all values in the main graph of ``model``."""
    graph = model.graph
    values = {
        value.name for group in (graph.input, graph.output, graph.initializer) for value in group
    }
    return values.union(*(node.output for node in graph.node), *(node.input for node in graph.node))
