"""One builder of ONNX operators: the same calls write into a graph or into a converter's container.

``Writer`` is the interface. It has one implementation for each target: ``GraphWriter`` (below)
appends to a graph, ``onnxpress.conversion.container_writer.ContainerWriter`` to the container that
skl2onnx gives its converters. A kind of graph with names of its own overrides ``name``.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

ML_DOMAIN = "ai.onnx.ml"

_AXES_AS_INPUT = {
    "ReduceSum": 13,
    "ReduceMean": 18,
    "ReduceMax": 18,
    "ReduceSumSquare": 18,
    "ReduceL2": 18,
}
"""The ai.onnx version from which a reduction takes its axes as an input."""


class Writer(ABC):
    """Write operators of ai.onnx ``opset`` and constants; a call returns the name of its value."""

    opset: int

    @abstractmethod
    def write(
        self,
        op_type: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        attributes: dict[str, Any],
        domain: str = "",
        version: int = 0,
    ) -> None:
        """Write one operator; ``version`` is that of a ``domain`` other than ai.onnx."""

    @abstractmethod
    def name(self, base: str) -> str:
        """Return a name that starts with ``base`` and that nothing else has."""

    @abstractmethod
    def constant(self, values: NDArray[Any], name: str = "c") -> str:
        """Write an initializer, whose name starts with ``name``."""

    def add(self, op_type: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Write an operator with one output, which gets a new name unless ``output`` names it."""
        output = output or self.name("v")
        self.write(op_type, inputs, [output], attributes)
        return output

    def add_pair(self, op_type: str, *inputs: str, **attributes: Any) -> tuple[str, str]:
        """Write an operator with two outputs."""
        outputs = self.name("v"), self.name("v")
        self.write(op_type, inputs, outputs, attributes)
        return outputs

    def add_ml(
        self, op_type: str, *inputs: str, version: int = 1, output: str = "", **attributes: Any
    ) -> str:
        """Write an operator of ai.onnx.ml ``version`` with one output."""
        output = output or self.name("v")
        self.write(op_type, inputs, [output], attributes, ML_DOMAIN, version)
        return output

    def whole(self, values: NDArray[Any], to: int = TensorProto.FLOAT, name: str = "c") -> str:
        """Store whole numbers in as few bytes as they need, and cast them ``to`` a type.

        A runtime computes the cast once, when it loads the model.
        """
        if values.min() >= 0:
            kind = np.min_scalar_type(values.max())
        else:
            kind = np.min_scalar_type(-int(np.abs(values).max()))
        return self.add("Cast", self.constant(values.astype(kind), name), to=to)

    def reduce(
        self, op_type: str, values: str, axis: int, *, keepdims: bool = True, output: str = ""
    ) -> str:
        """Write ReduceSum, or another reduction, along one axis."""
        if self.opset < _AXES_AS_INPUT[op_type]:
            return self.add(op_type, values, output=output, axes=[axis], keepdims=int(keepdims))
        axes = self.constant(np.array([axis], np.int64))
        return self.add(op_type, values, axes, output=output, keepdims=int(keepdims))

    def labels(self, scores: str, classes: NDArray[Any], output: str) -> str:
        """Write the label of the first greatest of ``scores`` (rows, classes), int64 or string."""
        text = classes.dtype.kind in "UO"
        if not text and np.array_equal(classes, np.arange(len(classes))):
            return self.add("ArgMax", scores, output=output, axis=1, keepdims=0)
        best = self.add("ArgMax", scores, axis=1, keepdims=0)
        kind = object if text else np.int64
        return self.add("Gather", self.constant(classes.astype(kind)), best, output=output, axis=0)


class GraphWriter(Writer):
    """Write to the end of ``graph``, under names that nothing in it uses."""

    def __init__(self, graph: onnx.GraphProto, opset: int, taken: set[str]) -> None:
        """``taken`` are the names that may not be used; each new name is added to it."""
        self.graph, self.opset, self._taken = graph, opset, taken

    def write(
        self,
        op_type: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        attributes: dict[str, Any],
        domain: str = "",
        version: int = 0,  # noqa: ARG002 - the model's opset_import decides
    ) -> None:
        """See Writer."""
        node = helper.make_node(op_type, inputs, outputs, domain=domain or None, **attributes)
        self.graph.node.append(node)

    def constant(self, values: NDArray[Any], name: str = "c") -> str:
        """See Writer."""
        name = self.name(name)
        self.graph.initializer.append(numpy_helper.from_array(values, name))
        return name

    def name(self, base: str) -> str:
        """See Writer."""
        for number in itertools.count():
            name = f"{base}{number or ''}"
            if name not in self._taken:
                break
        self._taken.add(name)
        return name

    def place(
        self, op_type: str, inputs: Sequence[str], outputs: Sequence[str], domain: str = ""
    ) -> onnx.NodeProto:
        """Append an operator without attributes, to be filled in place without copies of arrays."""
        node: onnx.NodeProto = self.graph.node.add(op_type=op_type, input=inputs, output=outputs)
        if domain:
            node.domain = domain
        return node

    def copy(self, node: onnx.NodeProto) -> onnx.NodeProto:
        """Append a copy of ``node``."""
        result: onnx.NodeProto = self.graph.node.add()
        result.CopyFrom(node)
        return result


def names_of(model: onnx.ModelProto) -> set[str]:
    """Return the names of all values in the main graph of ``model``."""
    graph = model.graph
    names: set[str] = set()
    for group in (graph.input, graph.output, graph.initializer):
        names.update(value.name for value in group)
    for node in graph.node:
        names.update(node.output)
        names.update(node.input)
    return names


def opset_of(model: onnx.ModelProto, default: int = 0) -> int:
    """Return the version of ai.onnx that ``model`` imports; ``default`` if it imports none."""
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    return max(versions, default=default)


def fed_inputs(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """Return the inputs that a caller feeds: those that are not initializers, too."""
    constants = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in constants]
