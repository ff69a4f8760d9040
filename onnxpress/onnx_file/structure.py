"""Whether a model's nodes can be run in order, by known operators, and come to an end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import onnx
from onnx import AttributeProto, numpy_helper

from onnxpress.onnx_file.errors import BadModel
from onnxpress.onnx_file.known_operators import (
    DOMAINS,
    MICROSOFT,
    MICROSOFT_OPERATORS,
    RANDOM,
    STANDARD,
)

MOST_NODES = 1_000_000
"""Nodes of a model with its functions written out."""
MOST_LEVELS = 60
"""Functions and branches within each other.

Onnxruntime 1.31 crashes on 3,000 functions that call the next.
"""
MOST_TURNS = 10_000
"""Turns of a loop, times those of the loops around it.

Onnxruntime needs about 10 us for a turn that does nothing.
"""

Key = tuple[str, str, str]
"""Domain, name and overload of a function."""
Names = dict[str, int | None]
"""The names defined in a graph, with the values of those that are one known whole number."""


def check_structure(model: onnx.ModelProto) -> None:
    """Refuse nodes that cannot be run, or that might never end.

    Refused are nodes out of order, unknown operators, functions that call themselves, and loops
    without a known end.

    Raises:
        BadModel: naming the node.
    """
    functions = {(item.domain, item.name, item.overload): item for item in model.functions}
    if len(functions) < len(model.functions):
        raise BadModel("two of its functions have the same name")
    if hidden := [item for item in model.functions if item.domain in DOMAINS]:
        raise BadModel(
            f"its function {hidden[0].name[:60]!r} takes the place of an operator; "
            f"give it a domain of its own"
        )
    _check_calls(model, functions)
    checker = _Checker(functions)
    for key in functions:
        checker.function(key)
    checker.graph(model.graph, [], _In())
    outputs = [value.name for value in model.graph.output]
    if twice := sorted({name for name in outputs if outputs.count(name) > 1}):
        raise BadModel(f"it gives the output {twice[0][:60]!r} twice")


@dataclass(frozen=True)
class _In:
    """Where nodes are: words to begin an error with, and how often the loops around them run."""

    words: str = ""
    turns: int = 1


@dataclass
class _Checker:
    functions: dict[Key, onnx.FunctionProto]
    turns: dict[Key, int] = field(default_factory=dict)

    def function(self, key: Key) -> int:
        """Check a function, which does not call itself.

        How often what is innermost in it runs when it is called.
        """
        if key not in self.turns:
            function = self.functions[key]
            place = _In(f"function {function.name[:60]}: ")
            self.turns[key] = self.nodes(function.node, [dict.fromkeys(function.input)], place)
        return self.turns[key]

    def graph(self, graph: onnx.GraphProto, outer: Sequence[Names], place: _In) -> int:
        """Check the nodes of a graph; return turns as :meth:`nodes` does.

        Its names are defined beside those of the graphs around it.
        """
        names: Names = dict.fromkeys(value.name for value in graph.input)
        stored = [
            *(tensor.name for tensor in graph.initializer),
            *(item.values.name for item in graph.sparse_initializer),
        ]
        if len(set(stored)) < len(stored):
            raise BadModel(f"{place.words}two of its initializers have the same name")
        names |= {tensor.name: _number(tensor) for tensor in graph.initializer}
        names |= {tensor.values.name: None for tensor in graph.sparse_initializer}
        if (
            outer
        ):  # what the node around a subgraph gives it stands before what the subgraph has stored
            names |= dict.fromkeys(value.name for value in graph.input)
        scopes = [*outer, names]
        turns = self.nodes(graph.node, scopes, place)
        for value in graph.output:
            if not _is_defined(value.name, scopes):
                raise BadModel(f"{place.words}nothing gives the output {value.name[:60]!r}")
        return turns

    def nodes(self, nodes: Any, scopes: list[Names], place: _In) -> int:
        """Check nodes and return how often what is innermost in them runs.

        What they give is added to the last of ``scopes``.
        """
        most = place.turns
        for number, node in enumerate(nodes):
            here = f"{place.words}node {number} ({node.op_type[:60]})"
            for name in node.input:
                if name and not _is_defined(name, scopes):
                    raise BadModel(f"{here} reads {name[:60]!r}, which nothing before it gives")
            self._operator(node, here)
            turns = place.turns * self._own_turns(node, scopes, here)
            if turns > MOST_TURNS:
                raise BadModel(
                    f"{here} has {turns} turns, with the loops around it; "
                    f"at most {MOST_TURNS} are run"
                )
            for graph in _subgraphs(node):
                most = max(most, self.graph(graph, scopes, _In(f"{here}, ", turns)))
            most = max(most, turns)
            for name in filter(None, node.output):
                if name in scopes[-1]:
                    raise BadModel(f"{here} gives {name[:60]!r}, which is given already")
                scopes[-1][name] = _constant(node)
        return most

    def _own_turns(self, node: onnx.NodeProto, scopes: Sequence[Names], here: str) -> int:
        """How often what is in a node runs for each time that the node does."""
        key = node.domain, node.op_type, node.overload
        if key in self.functions:
            return self.function(key)
        return _turns(node, scopes, here) if _is(node, "Loop") else 1

    def _operator(self, node: onnx.NodeProto, here: str) -> None:
        if (node.domain, node.op_type, node.overload) in self.functions:
            return
        if node.domain not in DOMAINS:
            raise BadModel(
                f"{here} is of the domain {node.domain[:60]!r}, which onnxruntime does not have; "
                f"export the model with operators "
                f"of ai.onnx and ai.onnx.ml"
            )
        if node.domain == MICROSOFT and node.op_type not in MICROSOFT_OPERATORS:
            raise BadModel(
                f"{here} is an operator of {MICROSOFT} that no model of a table needs; "
                f"export the model without it"
            )
        if node.op_type in RANDOM and node.domain in STANDARD:
            raise BadModel(
                f"{here} draws random numbers, so the model gives other answers when asked twice"
            )


def _is_defined(name: str, scopes: Sequence[Names]) -> bool:
    return any(name in names for names in scopes)


def _is(node: onnx.NodeProto, operator: str) -> bool:
    return node.op_type == operator and node.domain in STANDARD


def _subgraphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    for item in node.attribute:
        if item.HasField("g"):
            yield item.g
        yield from item.graphs


def _turns(node: onnx.NodeProto, scopes: Sequence[Names], here: str) -> int:
    """How often a Loop runs at most."""
    name = node.input[0] if node.input else ""
    known = next((names[name] for names in reversed(scopes) if name in names), None)
    if not name or known is None:
        raise BadModel(
            f"{here} has no constant number of turns, so it may never end; "
            f"export the model with one"
        )
    return max(known, 0)


def _constant(node: onnx.NodeProto) -> int | None:
    """The whole number that a Constant gives, if it is one."""
    if not _is(node, "Constant"):
        return None
    values = {
        item.name: item for item in node.attribute if not item.ref_attr_name
    }  # which each call gives
    if "value" in values:
        return _number(values["value"].t)
    if "value_int" in values and values["value_int"].type == AttributeProto.INT:
        return int(values["value_int"].i)
    return None


def _number(tensor: onnx.TensorProto) -> int | None:
    """The whole number that a tensor holds, if it holds one."""
    if tensor.data_type != onnx.TensorProto.INT64 or any(size != 1 for size in tensor.dims):
        return None
    return int(numpy_helper.to_array(tensor).reshape(-1)[0])


@dataclass(frozen=True)
class _Size:
    """Return nodes with functions written out, and the depth of functions and branches."""

    nodes: int = 0
    levels: int = 0

    def __add__(self, other: _Size) -> _Size:
        return _Size(self.nodes + other.nodes, max(self.levels, other.levels))

    def deeper(self) -> _Size:
        """The same within a function or branch."""
        if self.levels >= MOST_LEVELS:
            raise BadModel(
                f"its functions and branches lie more than {MOST_LEVELS} deep in each other"
            )
        return _Size(self.nodes + 1, self.levels + 1)


@dataclass
class _Sizes:
    functions: dict[Key, onnx.FunctionProto]
    known: dict[Key, _Size] = field(default_factory=dict)
    open: list[Key] = field(default_factory=list)

    def of_nodes(self, nodes: Any) -> _Size:
        """The size of nodes, with those of their subgraphs and functions."""
        total = _Size()
        for node in nodes:
            for graph in _subgraphs(node):
                total += self.of_nodes(graph.node).deeper()
            key = node.domain, node.op_type, node.overload
            total += self.of_function(key) if key in self.functions else _Size(1)
            if total.nodes > MOST_NODES:
                raise BadModel(
                    f"it has more than {MOST_NODES} nodes with its functions written out"
                )
        return total

    def of_function(self, key: Key) -> _Size:
        """The size of a call of a function."""
        if key in self.open:
            raise BadModel(f"its function {key[1]} calls itself")
        if key not in self.known:
            self.open.append(key)
            self.known[key] = self.of_nodes(self.functions[key].node).deeper()
            self.open.pop()
        return self.known[key]


def _check_calls(model: onnx.ModelProto, functions: dict[Key, onnx.FunctionProto]) -> None:
    """Refuse functions that call themselves or are too many when written out."""
    sizes = _Sizes(functions)
    for key in functions:
        sizes.of_function(key)
    sizes.of_nodes(model.graph.node)
