"""Renaming the values of a graph."""

from __future__ import annotations

from collections.abc import Mapping

import onnx


def rename(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    """Rename values in place, in subgraphs too; another value that has one of the new names gets ``_inner`` behind it."""
    taken = set(names.values()) - set(names)
    _rename(graph, {**{name: f"{name}_inner" for name in taken}, **names})


def _rename(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    for group in (graph.input, graph.output, graph.initializer, graph.value_info):
        for value in group:
            value.name = names.get(value.name, value.name)
    for node in graph.node:
        for field in (node.input, node.output):
            field[:] = [names.get(name, name) for name in field]
        for attribute in node.attribute:
            for inner in [*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])]:
                _rename(inner, names)
