"""skops files, read into inert nodes: the same ones that a pickle of the same object is read into.

A skops file is a zip file of schema.json, a tree of entries that each name the ``__loader__`` which would make an object, and
of arrays and bytes in members of their own. Files of skops 0.3 to 0.16 (protocols 0 to 2) are read, without skops.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from onnxpress.estimators.stored import skops_numbers, skops_objects
from onnxpress.estimators.stored.archive import Archive
from onnxpress.estimators.stored.errors import Damaged
from onnxpress.estimators.stored.nodes import Array, Global, Tuple
from onnxpress.estimators.stored.npy import array_of
from onnxpress.estimators.stored.skops_entry import SCHEMA, Entry, JsonObject, name_of, parsed

NEWEST_PROTOCOL = 2
LARGEST_SCHEMA = 256 << 20
"""Bytes of schema.json, which takes twenty times as much memory once it is read; a vocabulary has 400 bytes a word."""

DEEPEST = 300
"""Objects within objects; an estimator within another takes four."""

PLAIN = frozenset(
    f"{kind}Node"
    for kind in (
        *(
            "Bytearray",
            "Bytes",
            "DType",
            "DefaultDict",
            "Dict",
            "Json",
            "List",
            "MaskedArray",
            "Method",
            "NdArray",
        ),
        *("RandomGenerator", "RandomState", "Set", "Slice", "SparseMatrix", "Tuple"),
    )
)
"""Loaders whose ``__class__`` is the container or array itself."""

DIMENSIONS = 32
"""An array of objects is laid out once for each of its dimensions."""


def read_skops(data: bytes | memoryview) -> Any:
    """The object in a skops file, as nodes.

    Raises:
        Damaged: the file is cut, changed, made by hand or by a newer skops.
    """
    archive = Archive(data)
    schema = parsed(archive.read(SCHEMA, LARGEST_SCHEMA))
    protocol = Entry(schema).get("protocol")
    if type(protocol) is not int or not 0 <= protocol <= NEWEST_PROTOCOL:
        raise Damaged(
            f"it has the skops protocol {protocol!r:.20}, and 0 to {NEWEST_PROTOCOL} are read"
        )
    try:
        return Reader(archive).node(schema)
    except RecursionError as error:
        raise Damaged("its objects are nested too deeply") from error
    except Damaged as error:
        error.names = _names(schema)
        raise


def _names(schema: Any) -> list[Global]:
    """Every class and function that a schema names, whatever else is wrong with it."""
    found, work = [], [schema]
    while work:
        part = work.pop()
        if isinstance(part, JsonObject):
            fields = dict(part)
            with suppress(Damaged, KeyError, TypeError):
                if fields["__loader__"] not in PLAIN:  # those name the containers that they are
                    found.append(name_of(fields["__module__"], fields["__class__"]))
            work.extend(fields.values())
        elif isinstance(part, list):
            work.extend(part)
    return found


class Reader:
    """Reads one file. An entry whose ``__id__`` was read before is the same node again, whatever else it says."""

    def __init__(self, archive: Archive) -> None:
        """``archive`` is the file."""
        self.archive = archive
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
        load = LOADERS.get(entry.text("__loader__"))
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
            raise Damaged(f"{SCHEMA} has arguments that are no tuple")
        return node.items

    def array(self, name: str) -> Array:
        """The array in a member, the same node each time."""
        if name not in self._arrays:
            self._arrays[name] = array_of(self.archive.read(name))
        return self._arrays[name]

    def arrays(self, name: str, wanted: Sequence[str]) -> dict[str, Array]:
        """Those of the arrays in a member that are wanted; the member is a zip file itself (.npz)."""
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
        """Raise Damaged if arrays have more objects than there are entries: their rows are the same list many times."""
        self._objects += count
        if self._objects > DIMENSIONS * self._entries:
            raise Damaged("an array of objects does not have its shape")


LOADERS: dict[str, Callable[[Reader, Entry], Any]] = {
    "BytearrayNode": skops_objects.of_bytearray,
    "BytesNode": skops_objects.of_bytes,
    "ConstructorFromReduceNode": skops_objects.of_call,
    "DTypeNode": skops_numbers.of_dtype,
    "DefaultDictNode": skops_objects.of_default_dict,
    "DictNode": skops_objects.of_dict,
    "FunctionNode": skops_objects.of_function,
    "JsonNode": skops_objects.of_json,
    "ListNode": skops_objects.of_list,
    "LossNode": skops_objects.of_reduced,
    "MaskedArrayNode": skops_numbers.of_masked_array,
    "MethodNode": skops_objects.of_method,
    "NdArrayNode": skops_numbers.of_array,
    "ObjectNode": skops_objects.of_object,
    "OperatorFuncNode": skops_objects.of_operator,
    "PartialNode": skops_objects.of_partial,
    "QuantileForestNode": skops_objects.of_reduced,
    "RandomGeneratorNode": skops_numbers.of_generator,
    "RandomStateNode": skops_numbers.of_random_state,
    "SGDNode": skops_objects.of_reduced,
    "SetNode": skops_objects.of_set,
    "SliceNode": skops_objects.of_slice,
    "SparseMatrixNode": skops_numbers.of_sparse,
    "TreeNode": skops_objects.of_reduced,
    "TupleNode": skops_objects.of_tuple,
    "TypeNode": skops_objects.of_type,
}
"""What each loader's entry is read by."""
