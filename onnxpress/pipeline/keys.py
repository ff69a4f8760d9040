"""The keys of params.yaml behind the arguments that a library line names.

The library names an argument in backquotes, for it does not know where the value came from; a stage
puts the key of params.yaml there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from onnxpress.errors import UserError
from onnxpress.pipeline.outputs import PARAMS
from onnxpress.pipeline.params import Params

_ARGUMENT = re.compile(r"`(\w+)`")

_TO_CHANGE = re.compile(r"\b((?:set|raise|add it to|add them to) )`(\w+)`")
"""An argument that the reader is to change: the line says in which file."""


def with_keys(line: str, *sections: str) -> str:
    """Return the line with keys of these sections of params.yaml instead of arguments.

    With the section ``data``, ``set `task` `` becomes ``set data.task in params.yaml``.
    """
    keys = _keys(sections)
    line = _TO_CHANGE.sub(
        lambda found: f"{found[1]}{keys[found[2]]} in {PARAMS}" if found[2] in keys else found[0],
        line,
    )
    return _plain_keys(line, keys)


@contextmanager
def keys_named(*sections: str, about: str = "") -> Iterator[None]:
    """Name keys of these sections of params.yaml in the errors of the block.

    A line that begins with an argument begins with ``params.yaml:``; every other one begins with
    ``about``, if that is given.
    """
    try:
        yield
    except UserError as error:
        line, keys = str(error), _keys(sections)
        first = _ARGUMENT.match(line)
        if first is not None and first[1] in keys:
            named = f"{PARAMS}: {_plain_keys(line, keys)}"
        else:
            named = (f"{about}: " if about else "") + with_keys(line, *sections)
        if named == line:
            raise
        raise type(error)(named) from error


def _keys(sections: tuple[str, ...]) -> dict[str, str]:
    """Return the keys of these sections by their last part; the first section with it counts."""
    keys: dict[str, str] = {}
    for section in sections:
        fields = Params.model_fields[section].annotation.model_fields  # type: ignore[union-attr]
        for name, field in fields.items():
            last = field.alias or name
            keys.setdefault(last, f"{section}.{last}")
    return keys


def _plain_keys(line: str, keys: dict[str, str]) -> str:
    return _ARGUMENT.sub(lambda found: keys.get(found[1], found[0]), line)
