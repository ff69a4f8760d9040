"""Entries of schema.json, which describes the objects of a skops file."""

from __future__ import annotations

import json
import re
from typing import Any

from onnxpress.estimators.stored.errors import Damaged
from onnxpress.estimators.stored.nodes import Global

SCHEMA = "schema.json"
OLD_NUMPY = "numpy.core"
_NAME = re.compile(r"[\w.<>]{1,300}", re.ASCII)


class JsonObject(list[tuple[str, Any]]):
    """An object of JSON as pairs.

    A dict of skops may have the same text for two keys, 1 and "1".
    """


def parsed(text: memoryview) -> Any:
    """What JSON says, its objects as :class:`JsonObject`.

    Raises:
        Damaged: it is no JSON.
    """
    try:
        return json.loads(bytes(text), object_pairs_hook=JsonObject)
    except RecursionError as error:
        raise Damaged(f"{SCHEMA} is nested too deeply") from error
    except ValueError as error:  # also of what is no UTF-8, and of a number of 4,300 digits
        raise Damaged(f"{SCHEMA} is no JSON") from error


class Entry:
    """An entry: its fields, and the class that it names."""

    def __init__(self, content: Any) -> None:
        """Take what JSON has.

        Raises:
            Damaged: it is no object, has a key twice, or an ``__id__`` that is no number.
        """
        if not isinstance(content, JsonObject):
            raise Damaged(f"{SCHEMA} has a {type(content).__name__} in the place of an object")
        self.fields: dict[str, Any] = dict(content)
        if len(self.fields) != len(content):
            raise Damaged(f"{SCHEMA} has an object with a key twice")
        self.id = self.fields.get("__id__")
        if self.id is not None and type(self.id) is not int:
            raise Damaged(f"{SCHEMA} has an object whose __id__ is not a number")

    @property
    def kind(self) -> str:
        """The loader, for messages."""
        return f"{self.fields.get('__loader__')!r:.40}"

    def get(self, key: str) -> Any:
        """A field that has to be there."""
        if key not in self.fields:
            raise Damaged(f"{SCHEMA} has a {self.kind} without {key!r}")
        return self.fields[key]

    def text(self, key: str) -> str:
        """A field that is text."""
        value = self.get(key)
        if not isinstance(value, str):
            raise Damaged(f"{SCHEMA} has a {self.kind} whose {key!r} is not text")
        return value

    def inner(self, key: str) -> Entry:
        """A field that is an object itself."""
        return Entry(self.get(key))

    def named(self) -> Global:
        """The class or function that it names."""
        return name_of(self.text("__module__"), self.text("__class__"))


def name_of(module: str, name: str) -> Global:
    """A global in today's spelling.

    Raises:
        Damaged: nothing can have such a name.
    """
    if not (_NAME.fullmatch(module) and _NAME.fullmatch(name)):
        raise Damaged(f"{SCHEMA} names {f'{module[:40]}.{name[:40]}'!a}, which is not a name")
    if module == OLD_NUMPY or module.startswith(f"{OLD_NUMPY}."):
        module = f"numpy._core{module.removeprefix(OLD_NUMPY)}"
    return Global(module, name)
