"""Rename the values of a graph, and take out what only renames."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

import onnx


def rename(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    """Rename values in place, in subgraphs too.

    Another value that has one of the new names gets ``_inner``, or ``_inner2`` and so on, behind
    its own.
    """
    present, wanted = set(_values(graph)), set(names.values())
    taken = present | wanted
    inner = {}
    for name in sorted(present & wanted - set(names)):
        inner[name] = _free(f"{name}_inner", taken)
        taken.add(inner[name])
    _rename(graph, {**inner, **names})


def take_out_zipmaps(graph: onnx.GraphProto) -> dict[str, str]:
    """Take the ZipMaps out of a graph, in place; return the tensor behind each one's output."""
    behind = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "ZipMap"}
    kept = [node for node in graph.node if node.op_type != "ZipMap"]
    del graph.node[:]
    graph.node.extend(kept)
    return behind


def _free(base: str, taken: set[str]) -> str:
    """Return the first of ``base``, ``base2``, ``base3`` and so on that is not taken."""
    numbers = itertools.chain([""], map(str, itertools.count(2)))
    return next(f"{base}{number}" for number in numbers if f"{base}{number}" not in taken)


def _values(graph: onnx.GraphProto) -> Iterator[str]:
    """Yield the name of each value, in subgraphs too."""
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
    """Yield the graphs in the attributes of a node."""
    for attribute in node.attribute:
        yield from attribute.graphs
        if attribute.HasField("g"):
            yield attribute.g
