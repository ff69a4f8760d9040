"""How much a description may grow when it is built.

A file of a few kilobytes can give one long list to thousands of makers, each of which copies it.
So what makers and objects are given is counted, in items and bytes, against the size of the
description.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from onnxpress.estimators.stored.errors import Damaged
from onnxpress.estimators.stored.nodes import Array, List, Made, Mapping, Set, Tuple

GROWTH = 16
"""Times its size that a description may be given away.

Estimators give each part to one owner, or to a few.
"""
SPARE = 1 << 20
_CONTAINERS = frozenset((list, tuple, dict, set, frozenset))
_BYTES = frozenset((str, bytes, bytearray))
_PLAIN = frozenset((type(None), bool, int, float))
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
        return [
            *node.arguments,
            *(value for _, value in node.keywords),
            *node.states,
            *node.items,
            *pairs,
        ]
    return []


class Budget:
    """What is left of the growth that a description may have."""

    def __init__(self, root: Any) -> None:
        """Measure the description."""
        self.left = GROWTH * size_of(root) + SPARE
        self.known: dict[tuple[int, Any], tuple[Any, int, int]] = {}

    def spend(self, made: list[Any], *, copied: bool) -> None:
        """Count what a maker is given.

        ``copied`` if the content of its arrays and texts is copied too.

        Raises:
            Damaged: it is too much.
        """
        count = _size if copied else _items
        self.left -= sum(self._deep(value, count) for value in made)
        if self.left < 0:
            raise Damaged("its parts are given to more owners than they have content")

    def _deep(self, value: Any, count: Callable[[Any], int]) -> int:
        """Count a value and its direct parts once, however often it is given.

        It is counted again if it has grown since.
        """
        if type(value) not in _CONTAINERS:
            return count(value)
        found = self.known.get((id(value), count))
        if found is None or found[1] != len(value):
            inside = value.values() if type(value) is dict else value
            found = value, len(value), len(value) + sum(map(count, inside))
            self.known[id(value), count] = found
        return found[2]


def size_of(root: Any) -> int:
    """Items, bytes and characters of a description, each part once."""
    seen: set[int] = set()
    work, size = [root], 0
    while work:
        node = work.pop()
        kind = type(node)
        if kind in _PLAIN or (kind in _BYTES and len(node) <= SHORT):
            size += 1
        elif id(node) not in seen:
            seen.add(id(node))
            inside = children(node)
            size += _size(node) + len(inside)
            work.extend(inside)
    return size


def _size(value: Any) -> int:
    kind = type(value)
    if kind is np.ndarray:
        return int(value.nbytes)
    if kind is Array:
        return int(value.data.nbytes)
    return len(value) if kind in _CONTAINERS or kind in _BYTES else 1


def _items(value: Any) -> int:
    return len(value) if type(value) in _CONTAINERS else 1
