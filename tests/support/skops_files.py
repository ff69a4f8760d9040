"""skops files written by hand, entry by entry, as skops would never write them."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import numpy as np

Entry = dict[str, Any]


def entry(loader: str, module: str, name: str, **fields: Any) -> Entry:
    """An entry of schema.json."""
    return {"__loader__": loader, "__module__": module, "__class__": name, **fields}


def value(content: Any) -> Entry:
    """None, a truth value, a number or text."""
    return entry("JsonNode", "builtins", "str", content=json.dumps(content), is_json=True)


def a_tuple(*items: Any, **fields: Any) -> Entry:
    """A tuple of entries."""
    return entry("TupleNode", "builtins", "tuple", content=list(items), **fields)


def a_list(*items: Any, **fields: Any) -> Entry:
    """A list of entries."""
    return entry("ListNode", "builtins", "list", content=list(items), **fields)


def a_type(module: str, name: str) -> Entry:
    """A class as a value."""
    return entry("TypeNode", module, name)


def a_dict(content: dict[str, Any], kind: Entry | None = None, **fields: Any) -> Entry:
    """A dict of entries, whose keys are text or of another ``kind``."""
    kinds = a_list(*[kind or a_type("builtins", "str") for _ in content])
    return entry("DictNode", "builtins", "dict", content=content, key_types=kinds, **fields)


def call(module: str, name: str, *arguments: Any) -> Entry:
    """What skops makes by a call with arguments."""
    return entry("ConstructorFromReduceNode", module, name, content=a_tuple(*arguments))


def an_object(module: str, name: str, state: dict[str, Any], **fields: Any) -> Entry:
    """An object with attributes."""
    return entry("ObjectNode", module, name, content=a_dict(state), **fields)


def objects(*items: Any, **fields: Any) -> Entry:
    """An array of objects."""
    shape = a_tuple(value(len(items)))
    return entry(
        "NdArrayNode", "numpy", "ndarray", type="json", content=list(items), shape=shape, **fields
    )


def array(file: str, **fields: Any) -> Entry:
    """An array in a member."""
    return entry("NdArrayNode", "numpy", "ndarray", type="numpy", file=file, **fields)


def npy(content: Any) -> bytes:
    """An array as a member; objects are pickled in it."""
    file = io.BytesIO()
    np.save(file, np.asarray(content), allow_pickle=True)
    return file.getvalue()


def skops_file(root: Any, members: dict[str, bytes] | None = None, protocol: Any = 2) -> bytes:
    """The bytes of a file with this root; text is taken for schema.json as it is."""
    schema = (
        root
        if isinstance(root, str)
        else json.dumps({**root, "protocol": protocol, "_skops_version": "0.16.0"})
    )
    return zip_file({"schema.json": schema.encode(), **(members or {})})


def zip_file(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """The bytes of a zip file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()
