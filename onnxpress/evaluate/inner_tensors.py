"""Tensors inside a model, computed from raw rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxpress.graph.trees.graphs import nested
from onnxpress.runtime.sessions import open_session
from onnxpress.tables.rows import Feeds

Values = dict[str, NDArray[Any]]
"""Tensors by name, each (rows, columns)."""


class InnerTensors:
    """The part of a model that computes some of its tensors, as a function."""

    def __init__(self, model: onnx.ModelProto, names: Iterable[str]) -> None:
        """``names`` are the wanted tensors; inputs of the model need no computing."""
        inputs = {value.name for value in model.graph.input}
        self.raw: list[str] = []
        self.computed: list[str] = []
        for name in names:
            (self.raw if name in inputs else self.computed).append(name)
        part = _part_before(model, self.computed) if self.computed else None
        self._session = open_session(part.SerializeToString()) if part else None

    def __call__(self, feeds: Feeds) -> Values:
        """Return every tensor for these rows."""
        found = {name: feeds[name] for name in self.raw}
        if self._session:
            arrays = self._session.run(self.computed, feeds)
            found |= dict(zip(self.computed, arrays, strict=True))
        rows = len(next(iter(feeds.values())))
        return {name: np.asarray(array).reshape(rows, -1) for name, array in found.items()}


def _part_before(model: onnx.ModelProto, names: list[str]) -> onnx.ModelProto:
    """Return the model cut off behind ``names``, which are its outputs then."""
    needed, kept = set(names), []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            kept.append(node)
            needed.update(_reads(node))
    result = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    result.functions.extend(model.functions)
    graph = result.graph
    graph.name = model.graph.name
    graph.node.extend(reversed(kept))
    graph.input.extend(model.graph.input)
    graph.initializer.extend(each for each in model.graph.initializer if each.name in needed)
    graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    return result


def _reads(node: onnx.NodeProto) -> Iterator[str]:
    """Yield the names that a node reads, also in the graphs inside it."""
    yield from node.input
    for graph in nested(node):
        for inner in graph.node:
            yield from _reads(inner)
        yield from (value.name for value in graph.output)
