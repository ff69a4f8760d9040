"""A params file as changes to another, in the words of ``dvc exp run --set-param`` (Hydra's override grammar)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any


def overrides(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The changes that make ``new`` of ``old``: ``++key=value`` sets or adds a key, ``~key`` takes one away.

    Hydra would merge a mapping into the present one, so what is in it is changed key by key.
    """
    for key in sorted(old.keys() - new.keys()):
        yield f"~{prefix}{key}"
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            yield from overrides(before, value, f"{prefix}{key}.")
        elif key not in old or repr(value) != repr(before):  # 1 is not 1.0, nor true
            yield f"++{prefix}{key}={literal(value)}"


def literal(value: Any) -> str:
    """A value in Hydra's grammar. In a quoted string a backslash counts only before the quote."""
    if isinstance(value, str):
        return "'" + re.sub(r"(\\*)('|$)", lambda match: match[1] * 2 + ("\\'" if match[2] else ""), value) + "'"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(literal, value)) + "]"
    return json.dumps(value)
