"""A params file as changes to another, in the grammar of ``dvc exp run --set-param`` (Hydra's).

OmegaConf takes ``${...}`` in a text for an interpolation, even in texts that are not changed, and
``???`` for a value that is yet to come. So the changes are tried before anything is queued.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from onnxpress.errors import UserError
from onnxpress.pipeline.outputs import PARAMS
from onnxpress.pipeline.yaml_file import read_yaml
from onnxpress.text import shortened

PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
LONGEST_WORD = 100_000
"""Bytes of a word on a command line: Linux takes 131,072."""


def overrides(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return the changes that turn ``old`` into ``new``.

    ``++key=value`` sets or adds a key, ``~key`` removes one. Hydra would merge a mapping into the
    present one, so a mapping is changed key by key; one with keys that are not words is removed
    first. If anything changes, texts that would be interpolated are set again, with escapes.
    """
    changes = list(_changes(old, new, "", always=False))
    return list(_changes(old, new, "", always=True)) if changes else []


def _changes(
    old: Mapping[str, Any], new: Mapping[str, Any], prefix: str, *, always: bool
) -> Iterator[str]:
    for key in sorted(old.keys() - new.keys()):
        yield f"~{prefix}{key}"
    for key, value in new.items():
        before = old.get(key)
        same = key in old and repr(value) == repr(before)  # 1 is not 1.0, nor true
        if same and not (always and _interpolated(value)):
            continue
        if not isinstance(value, Mapping) or not isinstance(before, Mapping):
            yield f"++{prefix}{key}={literal(value)}"
        elif all(PLAIN_KEY.fullmatch(str(name)) for name in (*value, *before)):
            yield from _changes(before, value, f"{prefix}{key}.", always=always)
        else:
            yield f"~{prefix}{key}"
            yield f"++{prefix}{key}={literal(value)}"


def _interpolated(value: Any) -> bool:
    if isinstance(value, str):
        return "${" in value
    if isinstance(value, Mapping):
        return any(map(_interpolated, value.values()))
    return isinstance(value, list) and any(map(_interpolated, value))


def literal(value: Any) -> str:
    """Return a value in Hydra's grammar."""
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(literal, value)) + "]"
    return json.dumps(value)


def _quoted(text: str) -> str:
    r"""A text in single quotes, in which a backslash counts only before a quote and before ``${``.

    ``it's`` becomes ``'it\'s'``, ``end\`` becomes ``'end\\'``, and ``a\b`` becomes ``'a\b'``.
    """
    escaped = re.sub(r"(\\*)\$\{", lambda found: found[1] * 2 + "\\${", text)

    def before_quote(found: re.Match[str]) -> str:
        return found[1] * 2 + ("\\'" if found[2] else "")

    return "'" + re.sub(r"(\\*)('|$)", before_quote, escaped) + "'"


def refuse_altered(
    path: Path, point: str, changes: Iterable[str], wanted: Mapping[str, Any]
) -> None:
    """Make the changes to a copy of params.yaml as DVC will, and compare.

    ``path`` is the sweep file that ``point`` is from.

    Raises:
        UserError: DVC would refuse them, or the copy has other values than are ``wanted``.
    """
    from dvc.exceptions import DvcException
    from dvc.utils.cli_parse import to_path_overrides
    from dvc.utils.hydra import apply_overrides

    words = [f"{PARAMS}:{change}" for change in changes]
    why = "it has other values then"
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, PARAMS.name)
        copy.write_bytes(PARAMS.read_bytes())
        try:
            if not all(_fits(word) for word in words):
                why = "it is too long or has a NUL"
            elif (read := to_path_overrides(words)) and read.keys() != {str(PARAMS)}:
                why = "its keys are not words"
            else:
                apply_overrides(copy, read.get(str(PARAMS), []))
                if _alike(read_yaml(copy, "the parameters"), wanted):
                    return
        except DvcException as error:
            why = str(error.__cause__ or error)
        except Exception as error:  # OmegaConf has many
            why = str(error)
    raise UserError(
        f"{path}: dvc cannot give an experiment the params {shortened(point)} as they are: "
        f"{shortened(' '.join(why.split()))}; "
        "put them into params.yaml, or choose other names and values"
    )


def _alike(one: Any, other: Any) -> bool:
    """Whether two values are the same, type for type; the order of keys does not count."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        same_keys = {repr(key) for key in one} == {repr(key) for key in other}
        return same_keys and all(_alike(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    return repr(one) == repr(other)


def _fits(word: str) -> bool:
    return "\0" not in word and len(word.encode()) <= LONGEST_WORD
