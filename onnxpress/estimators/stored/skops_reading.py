"""What the reading of one skops file keeps in mind: nodes by id, arrays by member, and limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from onnxpress.estimators.stored.archive import Archive
from onnxpress.estimators.stored.errors import Damaged
from onnxpress.estimators.stored.nodes import Array, Tuple
from onnxpress.estimators.stored.npy import array_of
from onnxpress.estimators.stored.skops_entry import SCHEMA, Entry

DEEPEST = 300
"""Objects within objects; an estimator within another takes four."""

DIMENSIONS = 32
"""An array of objects is laid out once for each of its dimensions."""


class Reader:
    """Reads one file.

    An entry whose ``__id__`` was read before is the same node again, whatever else it says.
    """

    def __init__(self, archive: Archive, loaders: Mapping[str, Loader]) -> None:
        """Read the file ``archive``; ``loaders`` has the function for each kind of entry."""
        self.archive, self._loaders = archive, loaders
        self._known: dict[int, Any] = {}
        self._arrays: dict[str, Array] = {}
        self._inner: dict[str, dict[str, Array]] = {}
        self._unpacked = self._spent = self._entries = self._objects = self._depth = 0

    def node(self, content: Any) -> Any:
        """The node of an entry."""
        self._entries += 1
        entry = Entry(content)
        if entry.id in self._known:
            return self._known[entry.id]
        load = self._loaders.get(entry.text("__loader__"))
        if load is None:
            raise Damaged(f"{SCHEMA} has a {entry.kind}, which skops up to 0.16 does not write")
        if self._depth == DEEPEST:
            raise Damaged("its objects are nested too deeply")
        self._depth += 1
        made = load(self, entry)
        self._depth -= 1
        return self.keep(entry, made)

    def keep(self, entry: Entry, node: Any) -> Any:
        """Remember a node before what is in it is read, for that may hold the node itself."""
        if entry.id:
            self._known[entry.id] = node
        return node

    def fill(self, target: list[Any], entries: Any) -> None:
        """Append the nodes of a list of entries."""
        if type(entries) is not list:
            raise Damaged(f"{SCHEMA} has no list where one should be")
        for content in entries:
            target.append(self.node(content))  # noqa: PERF401 # a comprehension would be one more call deep

    def items(self, content: Any) -> list[Any]:
        """The items of an entry that has to be a tuple."""
        node = self.node(content)
        if not isinstance(node, Tuple):
            raise Damaged(f"{SCHEMA} has arguments that are not a tuple")
        return node.items

    def array(self, name: str) -> Array:
        """The array in a member, the same node each time."""
        if name not in self._arrays:
            self._arrays[name] = array_of(self.archive.read(name))
        return self._arrays[name]

    def arrays(self, name: str, wanted: Sequence[str]) -> dict[str, Array]:
        """Those of the arrays in a member that are wanted.

        The member is a zip file itself (.npz).
        """
        if name not in self._inner:
            inner = Archive(self.archive.read(name), self.archive.limit - self._unpacked)
            self._unpacked += inner.total
            held = [part for part in wanted if f"{part}.npy" in inner]
            self._inner[name] = {part: array_of(inner.read(f"{part}.npy")) for part in held}
        return self._inner[name]

    def copied(self, data: memoryview) -> bytes:
        """A copy of bytes of the file."""
        self.spend(len(data))
        return bytes(data)

    def spend(self, size: int) -> None:
        """Count bytes that are made besides those of the file; all together they may be as many.

        Raises:
            Damaged: they are more, for the file refers to the same bytes over and over.
        """
        self._spent += size
        if self._spent > self.archive.total:
            raise Damaged("it refers to the same bytes over and over")

    def check_count(self, count: int) -> None:
        """Raise Damaged if arrays have more objects than there are entries.

        Their rows are the same list many times.
        """
        self._objects += count
        if self._objects > DIMENSIONS * self._entries:
            raise Damaged("an array of objects does not have its shape")


Loader = Callable[[Reader, Entry], Any]
"""Makes the node of an entry."""
