"""Where each number of a graph comes from, as far as it is a column of the data moved about.

A tensor that only moves columns about, or changes each by a rising or falling function, is tracked:
of every place in a row it is known which raw column it holds. All else that is computed from raw
columns makes them *mixed*: nothing is said about how answers depend on them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from onnxpress.evaluate.probes.raw_columns import RawColumn
from onnxpress.graph.constants import as_initializers
from onnxpress.graph.trees.graphs import nested
from onnxpress.graph.writer import fed_inputs

NOTHING = -1
"""Of a place: it holds nothing but the results of comparisons."""


FOLDED = ("Cast", "Div", "Identity", "Mod", "Reshape", "Unsqueeze")
"""Operators on constants that are computed here."""


@dataclass(frozen=True)
class Source:
    """What a place holds: a raw column as ``tensor`` has it at ``position``."""

    column: RawColumn
    tensor: str
    position: int
    in_order: bool = True
    """Whether it rises or falls with the raw column; if not, comparing it mixes the column."""


@dataclass(frozen=True)
class Tracked:
    """The places of a row in a tensor: numbers of sources, in the shape of the other axes."""

    places: NDArray[np.int64]
    rows_last: bool = False
    """Whether the rows are the last axis, not the first."""


@dataclass
class Provenance:
    """What is known of the tensors of a graph, node after node."""

    model: onnx.ModelProto
    tracked: dict[str, Tracked] = field(default_factory=dict)
    sources: list[Source] = field(default_factory=list)
    spread: dict[str, frozenset[RawColumn]] = field(default_factory=dict)
    """Raw columns that tensors without known places are made of."""
    mixed: set[RawColumn] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Track the model's inputs; constants of nodes become initializers of a copy."""
        copy = onnx.ModelProto()
        copy.CopyFrom(self.model)
        as_initializers(copy.graph)
        self.model = copy
        self._constants: dict[str, NDArray[Any]] = {}
        self._initializers = {each.name: each for each in copy.graph.initializer}
        self.texts = {
            value.name
            for value in copy.graph.input
            if value.type.tensor_type.elem_type == onnx.TensorProto.STRING
        }
        self._makers = {name: node for node in copy.graph.node for name in node.output}
        for value in fed_inputs(copy.graph):
            sizes = [size.dim_value for size in value.type.tensor_type.shape.dim]
            width = sizes[1] if len(sizes) == 2 else 0
            if width:
                self.set_sources(value.name, [RawColumn(value.name, at) for at in range(width)])
            else:
                self.spread[value.name] = frozenset({RawColumn(value.name, 0)})

    @property
    def nodes(self) -> Iterator[onnx.NodeProto]:
        """The nodes, in the order in which they are computed."""
        return iter(self.model.graph.node)

    def set_sources(
        self, tensor: str, columns: list[RawColumn | None], *, in_order: bool = True
    ) -> None:
        """Track a tensor (rows, columns) as computed anew, each place from one raw column."""
        places = np.full(len(columns), NOTHING, np.int64)
        for position, column in enumerate(columns):
            if column is not None:
                places[position] = len(self.sources)
                self.sources.append(Source(column, tensor, position, in_order))
        self.tracked[tensor] = Tracked(places)

    def columns_of(self, tensor: str) -> frozenset[RawColumn]:
        """Return the raw columns that a tensor is made of."""
        if tensor in self.tracked:
            used = np.unique(self.tracked[tensor].places)
            return frozenset(self.sources[int(at)].column for at in used if at != NOTHING)
        return self.spread.get(tensor, frozenset())

    def mix(self, node: onnx.NodeProto) -> None:
        """Say nothing about the raw columns that a node reads; what it makes holds none then."""
        for name in reads(node):
            self.mixed |= self.columns_of(name)

    def constant(self, name: str) -> NDArray[Any] | None:
        """Return the value of a tensor that no input changes; None if one does."""
        if name not in self._constants:
            value = self._constant(name)
            if value is None:
                return None
            self._constants[name] = value
        return self._constants[name]

    def _constant(self, name: str) -> NDArray[Any] | None:
        if name in self._initializers:
            return numpy_helper.to_array(self._initializers[name])
        node = self._makers.get(name)
        if node is None or node.op_type not in FOLDED:
            return None
        feeds = {each: self.constant(each) for each in node.input}
        if any(value is None for value in feeds.values()):
            return None
        (value,) = ReferenceEvaluator(node).run(None, feeds)
        return np.asarray(value)


def reads(node: onnx.NodeProto) -> Iterator[str]:
    """Yield the names that a node reads, also in the graphs inside it."""
    yield from node.input
    for graph in nested(node):
        for inner in graph.node:
            yield from reads(inner)
        yield from (value.name for value in graph.output)
