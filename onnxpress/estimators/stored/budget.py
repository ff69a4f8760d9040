"""How much a description may grow when it is built.

A file of a few kilobytes can give one long list to thousands of makers, each of which copies it. So what makers and objects
are given is counted, in items and bytes, against the size of the description.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from onnxpress.estimators.stored.errors import Damaged
from onnxpress.estimators.stored.nodes import Array, List, Made, Mapping, Set, Tuple

GROWTH = 16
"""Times its size that a description may be given away; estimators give each part to one owner, or to a few."""
SPARE = 1 << 20
SHORT = 64
"""Bytes of text that are not looked at twice."""


def children(node: Any) -> list[Any]:
    """What lies directly in a node."""
    if isinstance(node, List | Tuple | Set):
        return node.items
    if isinstance(node, Mapping):
        return [part for pair in node.pairs for part in pair]
    if isinstance(node, Made):
        pairs = [part for pair in node.pairs for part in pair]
        return [*node.arguments, *(value for _, value in node.keywords), *node.states, *node.items, *pairs]
    return []


class Budget:
    """What is left of the growth that a description may have."""

    def __init__(self, root: Any) -> None:
        """Measure the description."""
        self.left = GROWTH * size_of(root) + SPARE
        self.known: dict[tuple[int, Any], tuple[Any, int]] = {}

    def spend(self, made: list[Any], *, copied: bool) -> None:
        """Count what a maker is given; ``copied`` if the content of its arrays and texts is copied too.

        Raises:
            Damaged: it is too much.
        """
        count = _size if copied else _items
        self.left -= sum(self._deep(value, count) for value in made)
        if self.left < 0:
            raise Damaged("its parts are given to more owners than they have content")

    def _deep(self, value: Any, count: Callable[[Any], int]) -> int:
        """A value and what lies directly in it, counted once however often it is given."""
        key = id(value), count
        if key not in self.known:
            self.known[key] = value, count(value) + sum(map(count, _inside(value)))
        return self.known[key][1]


def size_of(root: Any) -> int:
    """Items, bytes and characters of a description, each part once."""
    seen: set[int] = set()
    work, size = [root], 0
    while work:
        node = work.pop()
        if isinstance(node, str | bytes) and len(node) <= SHORT:
            size += 1
        elif id(node) not in seen:
            seen.add(id(node))
            inside = children(node)
            size += 1 + (_size(node) if isinstance(node, str | bytes | Array) else len(inside))
            work.extend(inside)
    return size


def _size(value: Any) -> int:
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, Array):
        return value.data.nbytes
    return len(value) if isinstance(value, str | bytes | bytearray | list | tuple | dict | set | frozenset) else 1


def _inside(value: Any) -> Any:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list | tuple | set | frozenset) else ()


def _items(value: Any) -> int:
    return len(value) if isinstance(value, list | tuple | dict | set | frozenset) else 1
