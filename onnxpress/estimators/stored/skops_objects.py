"""Containers, values, names and objects of skops files, as the nodes that a pickle has for them.

A node that can hold itself is kept before what is in it is read.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from onnxpress.estimators.stored.errors import Damaged
from onnxpress.estimators.stored.nodes import Global, List, Made, Mapping, Set, Tuple
from onnxpress.estimators.stored.skops_entry import SCHEMA, Entry, JsonObject, name_of
from onnxpress.estimators.stored.skops_keys import key_of

if TYPE_CHECKING:
    from onnxpress.estimators.stored.skops_reading import Reader

COUNTER = "collections.Counter"
NEW_OBJECTS = {
    "sklearn.neighbors._kd_tree",
    "sklearn.neighbors._ball_tree",
    "sklearn.metrics._dist_metrics",
}
"""Modules whose function ``newObj`` makes their objects in a pickle."""

SIMPLE = (bool, int, float, str, type(None))


def of_dict(reader: Reader, entry: Entry) -> Any:
    """A dict, or an object of a class that is one."""
    named = entry.named()
    if named.path == "builtins.dict":
        node = reader.keep(entry, Mapping())
        node.pairs.extend(_pairs(reader, entry))
    elif named.path == COUNTER:
        node = reader.keep(entry, Made(named, "call", [Mapping()]))
        node.arguments[0].pairs.extend(_pairs(reader, entry))
    else:
        node = reader.keep(
            entry, Made(named, "call" if named.path == "collections.OrderedDict" else "new", [])
        )
        node.pairs.extend(_pairs(reader, entry))
    return node


def _pairs(reader: Reader, entry: Entry) -> list[tuple[Any, Any]]:
    content, kinds = entry.get("content"), reader.node(entry.get("key_types"))
    if (
        not isinstance(content, JsonObject)
        or not isinstance(kinds, List)
        or len(kinds.items) != len(content)
    ):
        raise Damaged(f"{SCHEMA} has a dict whose keys are not as many as its key_types")
    pairs = []
    for (key, value), kind in zip(content, kinds.items, strict=True):
        pairs.append((key_of(key, kind), reader.node(value)))
    return pairs


def of_default_dict(reader: Reader, entry: Entry) -> Any:
    """A defaultdict: a dict, and what makes its missing values."""
    node = reader.keep(entry, Made(Global("collections", "defaultdict"), "call", []))
    content = entry.inner("content")
    main, factory = reader.node(content.get("main")), reader.node(content.get("default_factory"))
    if not isinstance(main, Mapping):
        raise Damaged(f"{SCHEMA} has a defaultdict of no dict")
    node.arguments = [] if factory is None else [factory]
    node.pairs = main.pairs
    return node


def of_list(reader: Reader, entry: Entry) -> Any:
    """A list, or an object of a class that is one."""
    named = entry.named()
    node = reader.keep(entry, List() if named.path == "builtins.list" else Made(named, "new", []))
    reader.fill(node.items, entry.get("content"))
    return node


def of_set(reader: Reader, entry: Entry) -> Any:
    """A set, or an object of a class that is one."""
    named, items = entry.named(), List()
    node = reader.keep(
        entry, Set(items.items) if named.path == "builtins.set" else Made(named, "call", [items])
    )
    reader.fill(items.items, entry.get("content"))
    return node


def of_tuple(reader: Reader, entry: Entry) -> Any:
    """A tuple, or a named one."""
    named, items = entry.named(), List().items
    node = reader.keep(
        entry, Tuple(items) if named.path == "builtins.tuple" else Made(named, "new", items)
    )
    reader.fill(items, entry.get("content"))
    return node


def of_json(_reader: Reader, entry: Entry) -> Any:
    """None, a truth value, a number or text."""
    try:
        value = json.loads(entry.text("content"))
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{SCHEMA} has a value that is no JSON") from error
    if type(value) not in SIMPLE:
        raise Damaged(f"{SCHEMA} has a {type(value).__name__} as JSON in JSON")
    return value


def of_bytes(reader: Reader, entry: Entry) -> Any:
    """Bytes, which lie in a member."""
    return reader.copied(reader.archive.read(entry.text("file")))


def of_bytearray(reader: Reader, entry: Entry) -> Any:
    """Bytes that can be changed."""
    return Made(Global("builtins", "bytearray"), "call", [of_bytes(reader, entry)])


def of_slice(_reader: Reader, entry: Entry) -> Any:
    """A slice, of numbers or column names."""
    content = entry.inner("content")
    ends = [content.get(key) for key in ("start", "stop", "step")]
    if any(type(end) not in SIMPLE for end in ends):
        raise Damaged(f"{SCHEMA} has a slice of no numbers")
    return Made(Global("builtins", "slice"), "call", ends)


def of_type(_reader: Reader, entry: Entry) -> Any:
    """A class or a built-in function."""
    return entry.named()


def of_function(_reader: Reader, entry: Entry) -> Any:
    """A function; protocol 0 has its name in a place of its own."""
    if "content" not in entry.fields:
        return entry.named()
    content = entry.inner("content")
    return name_of(content.text("module_path"), content.text("function"))


def of_method(reader: Reader, entry: Entry) -> Any:
    """A method of an object, which would have to be looked up on it.

    It is left to be refused by the method's name.
    """
    content, named = entry.inner("content"), entry.named()
    node = Made(name_of(named.module, f"{named.name}.{content.text('func')}"), "call", [])
    reader.keep(entry, node).arguments.append(reader.node(content.get("obj")))
    return node


def of_partial(reader: Reader, entry: Entry) -> Any:
    """A function with some of its arguments."""
    node = reader.keep(entry, Made(Global("functools", "partial"), "call", []))
    content = entry.inner("content")
    parts = List()
    reader.fill(parts.items, [content.get(key) for key in ("func", "args", "kwds", "namespace")])
    node.arguments.append(parts.items[0])
    node.states.append(Tuple(parts.items))
    return node


def of_operator(reader: Reader, entry: Entry) -> Any:
    """``operator.itemgetter`` and the like."""
    node = reader.keep(entry, Made(entry.named(), "call", []))
    node.arguments = reader.items(entry.get("attrs"))
    return node


def of_object(reader: Reader, entry: Entry) -> Any:
    """An object with its state, if it has one."""
    named = entry.named()
    node = Made(named, "new", [])
    if named.module in NEW_OBJECTS:
        node = Made(Global(named.module, "newObj"), "call", [named])
    reader.keep(entry, node)
    state = reader.node(entry.get("content")) if entry.fields.get("content") is not None else None
    node.states = [] if state is None else [state]
    return node


def of_call(reader: Reader, entry: Entry) -> Any:
    """An object made of arguments."""
    node = reader.keep(entry, Made(entry.named(), "call", []))
    node.arguments = reader.items(entry.get("content"))
    return node


def of_reduced(reader: Reader, entry: Entry) -> Any:
    """A tree or a loss: made of arguments, then given a state unless that is empty."""
    node = reader.keep(entry, Made(entry.named(), "call", []))
    node.arguments = reader.items(entry.inner("__reduce__").get("args"))
    state = reader.node(entry.get("content"))
    empty = (isinstance(state, Mapping) and not state.pairs) or (
        isinstance(state, Tuple) and not state.items
    )
    node.states = [] if empty else [state]
    return node
