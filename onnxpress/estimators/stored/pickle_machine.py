"""The machine that reads a pickle: as pickle's own, but nothing is imported, called or made.

What a pickle would call becomes a :class:`Made` that says so.
"""

from __future__ import annotations

import struct
from typing import Any

from onnxpress.estimators.stored.errors import Damaged
from onnxpress.estimators.stored.nodes import Global, List, Made, Mapping, Set
from onnxpress.estimators.stored.spelling import HELPERS, spelled


class Machine:
    """What opcodes act on: the bytes, a stack with marks, and a memo."""

    def __init__(self, view: memoryview, at: int) -> None:
        """Read from byte ``at`` of ``view``."""
        self.view, self.at = view, at
        self.protocol = 0
        self.names: list[Global] = []
        """All that may mean something, for the line about a file that is not read to its end."""
        self.stack: list[Any] = []
        self.marked: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.encoded: dict[int, tuple[str, bytes]] = {}

    # bytes

    def take(self, count: int) -> memoryview:
        """The next bytes.

        Raises:
            Damaged: there are fewer.
        """
        end = self.at + count
        if count < 0 or end > len(self.view):
            raise Damaged("its end is missing")
        piece = self.view[self.at : end]
        self.at = end
        return piece

    def number(self, form: struct.Struct) -> Any:
        """The next number of that form."""
        at = self.at
        self.at = at + form.size
        if self.at > len(self.view):
            raise Damaged("its end is missing")
        return form.unpack_from(self.view, at)[0]

    def line(self) -> bytes:
        """The rest of the line, without its end.

        Raises:
            Damaged: it has no end.
        """
        start, size = self.at, 256
        while True:
            piece = bytes(self.view[start : start + size])
            end = piece.find(b"\n")
            if end >= 0:
                self.at = start + end + 1
                return piece[:end]
            if len(piece) < size:
                raise Damaged("a line has no end")
            size *= 4

    # the stack

    def push(self, item: Any) -> None:
        """Push onto the stack."""
        self.stack.append(item)

    def mark(self) -> None:
        """Begin a new stack above a mark."""
        self.marked.append(self.stack)
        self.stack = []

    def pop_mark(self) -> list[Any]:
        """What lies above the mark; goes back below it.

        Raises:
            Damaged: there is no mark.
        """
        items = self.stack
        if not self.marked:
            raise Damaged("a mark is missing")
        self.stack = self.marked.pop()
        return items

    def remember(self, key: int) -> None:
        """Keep the top of the stack under a number."""
        self.memo[key] = self.stack[-1]

    def recall(self, key: int) -> None:
        """Push what was kept.

        Raises:
            Damaged: nothing was.
        """
        if key not in self.memo:
            raise Damaged("it refers to a part that is not there")
        self.stack.append(self.memo[key])

    # objects

    def name(self, module: Any, name: Any) -> None:
        """Push a global.

        Raises:
            Damaged: its name is no text.
        """
        if type(module) is not str or type(name) is not str:
            raise Damaged("a name that is not text")
        named = spelled(module, name, self.protocol)
        if named.path not in HELPERS:
            self.names.append(named)
        self.push(named)

    def fill(self, items: list[Any]) -> None:
        """Append to the list, or what behaves like one, on top of the stack.

        Raises:
            Damaged: there is none.
        """
        target = self.stack[-1]
        if not isinstance(target, List | Made):
            raise Damaged("items for something that is not a list")
        target.items.extend(items)

    def fill_pairs(self, items: list[Any]) -> None:
        """Set pairs of the dict, or what behaves like one, on top of the stack.

        Raises:
            Damaged: there is none, or a key without a value.
        """
        target = self.stack[-1]
        if not isinstance(target, Mapping | Made) or len(items) % 2:
            raise Damaged("pairs for something that is not a dict")
        target.pairs.extend(zip(items[::2], items[1::2], strict=True))

    def add(self, items: list[Any]) -> None:
        """Add to the set on top of the stack.

        Raises:
            Damaged: there is none.
        """
        target = self.stack[-1]
        if not isinstance(target, Set) or target.frozen:
            raise Damaged("items for something that is not a set")
        target.items.extend(items)

    def build(self) -> None:
        """Give the object below the top the state on top.

        Raises:
            Damaged: what is below was not made.
        """
        state = self.stack.pop()
        target = self.stack[-1]
        if not isinstance(target, Made):
            raise Damaged("state for something that is not an object")
        target.states.append(state)
