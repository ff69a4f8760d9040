"""Giving the values of a graph other names, and taking out what only renames."""

from __future__ import annotations

from collections.abc import Mapping

import onnx


def rename(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    """Rename values in place, in subgraphs too; another value that has one of the new names gets ``_inner`` behind it."""
    taken = set(names.values()) - set(names)
    _rename(graph, {**{name: f"{name}_inner" for name in taken}, **names})


def take_out_zipmaps(graph: onnx.GraphProto) -> dict[str, str]:
    """Take the ZipMaps out of a graph, in place; the tensor behind each one's output."""
    behind = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "ZipMap"}
    kept = [node for node in graph.node if node.op_type != "ZipMap"]
    del graph.node[:]
    graph.node.extend(kept)
    return behind


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
