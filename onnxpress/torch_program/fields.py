"""Checks of JSON that are made of other checks; each returns what it has understood, and no more.

``record(name=text, size=optional(whole))`` takes ``{"name": "x", "size": 3, "note": null}`` and
returns ``{"name": "x", "size": 3}``. A field that is not known is refused unless it is empty.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from onnxpress.errors import UserError

Check = Callable[[Any], Any]
"""Takes a value of JSON and returns it anew; raises BadProgram if it is not as it should be."""

LONGEST_TEXT = 1000
MOST_BITS = 63
INFINITIES = ("Infinity", "-Infinity", "NaN")
"""As torch writes numbers that JSON has none for."""


class BadProgram(UserError):
    """A program that may not be loaded, or not be understood; the message follows its name."""


def _refused(expected: str, came: Any) -> BadProgram:
    return BadProgram(f"is damaged: expected {expected}, got {repr(came)[:60]}")


def text(value: Any) -> str:
    """Take a text that is not long."""
    if type(value) is not str or len(value) > LONGEST_TEXT:
        raise _refused("a text", value)
    return value


def matching(pattern: str) -> Check:
    """Take a text of that form, a regular expression."""
    form = re.compile(pattern)

    def check(value: Any) -> str:
        if type(value) is not str or not form.fullmatch(value):
            raise _refused("a name", value)
        return value

    return check


def whole(value: Any) -> int:
    """Take a whole number of 64 bits."""
    if type(value) is not int or value.bit_length() > MOST_BITS:
        raise _refused("a whole number", value)
    return value


def number(value: Any) -> float | str:
    """Take a number, or one of the texts for an infinite one."""
    if type(value) in (int, float) or value in INFINITIES:
        return value  # type: ignore[no-any-return] # one of the three
    raise _refused("a number", value)


def truth(value: Any) -> bool:
    """Take true or false."""
    if type(value) is not bool:
        raise _refused("true or false", value)
    return value


def one_of(*known: Any) -> Check:
    """Take one of these values."""

    def check(value: Any) -> Any:
        if type(value) not in map(type, known) or value not in known:
            raise _refused(f"one of {', '.join(map(str, known))}", value)
        return value

    return check


def optional(check: Check) -> Check:
    """Take null too."""
    return lambda value: None if value is None else check(value)


def listed(check: Check) -> Check:
    """Take a list of such values."""

    def checked(value: Any) -> list[Any]:
        if type(value) is not list:
            raise _refused("a list", value)
        return [check(item) for item in value]

    return checked


def mapping(key: Check, check: Check) -> Check:
    """Take a mapping from such keys to such values."""

    def checked(value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise _refused("a mapping", value)
        return {key(name): check(item) for name, item in value.items()}

    return checked


def record(**fields: Check) -> Check:
    """Take a mapping with these fields; one that is absent has to be so by its own check."""

    def checked(value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise _refused("a mapping", value)
        strange = [name for name in value if name not in fields and value[name]]
        if strange:
            raise BadProgram(f"has the field {strange[0][:60]!r}, which is not known here")
        return {name: check(value.get(name)) for name, check in fields.items()}

    return checked


def union(**kinds: Check) -> Check:
    """Take a mapping with one of these fields."""

    def checked(value: Any) -> dict[str, Any]:
        if type(value) is not dict or len(value) != 1:
            raise _refused("a mapping of one field", value)
        ((kind, inner),) = value.items()
        if kind not in kinds:
            raise BadProgram(f"holds {kind[:60]!r}, which is not taken")
        return {kind: kinds[kind](inner)}

    return checked


def left_out(empty: Any) -> Check:
    """Take anything, and keep ``empty``."""
    return lambda _: empty
