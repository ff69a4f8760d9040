"""The values of a graph that are known so far, by name, for one row."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from onnxpress.bodies.constants import constants
from onnxpress.bodies.oblivious import Asked, Looked, Numbered, Unlike
from onnxpress.bodies.steps import (
    Inputs,
    Joined,
    NoBody,
    Step,
    Value,
)
from onnxpress.bodies.trees import (
    RowNumbers,
    TableRows,
)
from onnxpress.graph.writer import fed_inputs
from onnxpress.tables.names import column_name

ROWS_BY_COLUMNS = 2
PARTS = Asked | Numbered | Looked | RowNumbers | TableRows
"""What only forests make on the way to their sums."""


@dataclass(frozen=True, eq=False)
class Chosen:
    """The label of the first greatest number of a step."""

    step: Step
    classes: NDArray[np.int64] | tuple[str, ...] | None = None
    """None: the number of the class."""


Read = Value | Chosen


class Reader:
    """The values that are known so far."""

    def __init__(self, model: onnx.ModelProto) -> None:
        """Know the constants and the inputs of ``model``.

        Raises:
            NoBody: an input is not float32 numbers of a table.
        """
        self.constants = constants(model)
        self.inputs, self.values = _inputs(model)

    def read(self, name: str) -> Read:
        """What is called ``name`` and depends on the row."""
        if name not in self.values:
            raise Unlike(f"{name!r} does not depend on the row")
        return self.values[name]

    def value(self, name: str) -> Value:
        """The numbers called ``name``."""
        found = self.values.get(name)
        if not isinstance(found, Value):
            raise Unlike(f"it should read numbers that depend on the row, {name!r} are none")
        return found

    def constant(self, name: str) -> NDArray[Any]:
        """The constant called ``name``."""
        if name not in self.constants:
            raise Unlike(f"{name!r} is not constant")
        return self.constants[name].values

    def output(self, name: str) -> Read:
        """What the model gives under ``name``."""
        if name not in self.values:
            raise NoBody(f"the output {name!r} does not depend on the row")
        return self.values[name]

    def whole(self, value: Value) -> Step:
        """A step whose numbers are those of ``value``, in their order."""
        if isinstance(value.step, PARTS):
            raise Unlike("it reads a part of a forest")
        return value.step if value.is_whole else Joined(value.place.size, (value,))

    def row(self, name: str) -> tuple[Step, tuple[int, ...]]:
        """The numbers called ``name`` as a step, and their shape."""
        value = self.value(name)
        return self.whole(value), value.place.shape


Handler = Callable[[Reader, onnx.NodeProto], Any]
"""What makes the outputs of a node; one, or a tuple of them."""


def _inputs(model: onnx.ModelProto) -> tuple[Inputs, dict[str, Read]]:
    """The numbers of a row, all inputs side by side, and the value of each input."""
    sizes = {}
    for value in fed_inputs(model.graph):
        kind = value.type.tensor_type
        sizes[value.name] = [size.dim_value for size in kind.shape.dim][1:]
        if kind.elem_type != TensorProto.FLOAT or len(sizes[value.name]) != 1:
            expected = "should be float32 (rows, columns)"
            raise NoBody(f"the input {value.name!r} {expected}: text and tensors have no form here")
        if not sizes[value.name][0]:
            raise NoBody(f"the input {value.name!r} should say how many columns it has")
    ends = np.cumsum([0, *(size[0] for size in sizes.values())])
    inputs = Inputs(int(ends[-1]), _names(model, {name: size[0] for name, size in sizes.items()}))
    places = zip(sizes, ends, ends[1:], strict=False)
    return inputs, {
        name: Value(inputs, np.arange(start, stop)[None, :]) for name, start, stop in places
    }


def _names(model: onnx.ModelProto, sizes: dict[str, int]) -> tuple[str, ...]:
    """The names of all numbers of a row: those in the model's metadata, or by input."""
    stored = {entry.key: entry.value for entry in model.metadata_props}.get("feature_names", "[]")
    with suppress(ValueError):  # the metadata of others may hold anything
        names = json.loads(stored)
        if isinstance(names, list) and len(names) == sum(sizes.values()):
            return tuple(map(str, names))
    found = []
    for name, size in sizes.items():
        column = column_name(name)
        found += [column] if size == 1 else [f"{column}{number}" for number in range(size)]
    return tuple(found)


def named(node: onnx.NodeProto) -> str:
    """Return a node as errors call it."""
    return f"the node {node.op_type} that makes {node.output[0]!r}"


def attribute(node: onnx.NodeProto, name: str, default: Any = None) -> Any:
    """Return an attribute of a node."""
    found = (helper.get_attribute_value(item) for item in node.attribute if item.name == name)
    return next(found, default)
