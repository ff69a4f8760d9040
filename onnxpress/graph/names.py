"""Giving the values of a graph other names, and taking out what only renames."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

import onnx


def rename(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    """Rename values in place, in subgraphs too; another value that has one of the new names gets one with ``_inner`` behind."""
    present, wanted = set(_values(graph)), set(names.values())
    taken = present | wanted
    inner = {}
    for name in sorted(present & wanted - set(names)):
        inner[name] = next(
            free for number in _numbers() if (free := f"{name}_inner{number}") not in taken
        )
        taken.add(inner[name])
    _rename(graph, {**inner, **names})


def take_out_zipmaps(graph: onnx.GraphProto) -> dict[str, str]:
    """Take the ZipMaps out of a graph, in place; the tensor behind each one's output."""
    behind = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "ZipMap"}
    kept = [node for node in graph.node if node.op_type != "ZipMap"]
    del graph.node[:]
    graph.node.extend(kept)
    return behind


def _numbers() -> Iterator[str]:
    """What tells names apart: first nothing, then 2, 3 and so on."""
    return itertools.chain([""], map(str, itertools.count(2)))


def _values(graph: onnx.GraphProto) -> Iterator[str]:
    """The name of every value, in subgraphs too."""
    for group in (graph.input, graph.output, graph.initializer, graph.value_info):
        yield from (value.name for value in group)
    for node in graph.node:
        yield from (*node.input, *node.output)
        for inner in _subgraphs(node):
            yield from _values(inner)


def _rename(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    for group in (graph.input, graph.output, graph.initializer, graph.value_info):
        for value in group:
            value.name = names.get(value.name, value.name)
    for node in graph.node:
        for field in (node.input, node.output):
            field[:] = [names.get(name, name) for name in field]
        for inner in _subgraphs(node):
            _rename(inner, names)


def _subgraphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    for attribute in node.attribute:
        yield from attribute.graphs
        if attribute.HasField("g"):
            yield attribute.g
