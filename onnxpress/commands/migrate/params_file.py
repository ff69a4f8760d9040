"""params.yaml of an earlier edition: keys that came later are added with their defaults.

They are written into the text, at the end of their section, and a key with another name now is
written in its place: comments and the user's own form stay.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from onnxpress.commands.migrate.found import Found
from onnxpress.errors import UserError
from onnxpress.pipeline.files import write_bytes
from onnxpress.pipeline.outputs import PARAMS
from onnxpress.pipeline.params import parse_params
from onnxpress.pipeline.yaml_file import read_yaml

ADDED = {
    "data.text": "[]",
    "data.group": "null",
    "data.split": "null",
    "data.missing_values": "[]",
    "data.decimal": '"."',
    "data.thousands": "null",
    "train.text": "{max_features: null, ngram_range: [1, 1]}",
    "train.model_path": "null",
    "train.max_rows": "1000000",
    "train.max_seconds": "600",
    "train.max_memory_mb": "8192",
    "train.trust": "[]",
    "quantize.max_drop": "{score: 0.0, recall_worst_loss: 0.02}",
    "quantize.budget": "null",
    "evaluate.score": "null",
    "evaluate.also": "[]",
    "evaluate.positive": "null",
    "gate.max_score_diff": "1.0e-5",
    "gate.max_drop": "{score: 0.01, recall_worst_loss: 0.05}",
    "gate.min_onnx_speedup": "null",
    "gate.runtimes": "[]",
    "package.name": "model",
    "package.storage_uri": "null",
    "package.instances": "1",
    "package.max_batch_size": "1024",
    "package.queue_delay_us": "200",
    "package.cpu": '"1"',
    "package.memory": "512Mi",
    "package.canary_percent": "null",
    "package.drift_every": "null",
    "package.p99_ms": "100",
    "publish.register": "null",
    "publish.promote": "{by: score, min_gain: 0.0}",
    "engine.scheduler": "null",
}
"""Keys that params.yaml has not always had, with their defaults as YAML."""

NEW_SECTIONS = ("package", "engine")
"""Sections that params.yaml has not always had."""

REPLACED = {
    "quantize.max_accuracy_drop": ("max_drop", "{{score: {}, recall_worst_loss: 0.02}}"),
    "gate.max_accuracy_drop": ("max_drop", "{{score: {}, recall_worst_loss: 0.05}}"),
}
"""Keys that have another name and form now: the name, and the form around the old value."""


def migrate_params() -> Found:
    """Rename keys of params.yaml, add the missing ones, and check what it holds then.

    Raises:
        UserError: there is no params.yaml here, or it cannot be read.
    """
    found, content = Found(), read_yaml(PARAMS, "the sections of the parameters")
    text = PARAMS.read_text(encoding="utf-8")
    text = _replace(text, content, found)
    content = yaml.safe_load(text)
    text = _add_sections(text, content, found)
    for key, default in ADDED.items():
        section, _, name = key.partition(".")
        if not isinstance(content.get(section), dict) or name in content[section]:
            continue  # the check below names a missing section
        if any(old in content[section] for old in _names_before(section, name)):
            continue  # it is left to the user, in the words of its new name
        longer = with_key(text, section, name, default)
        if longer is None:
            line = f"{PARAMS}: {key} is missing; add `{name}: {default}` to the section {section}"
            found.left.append(line)
        else:
            text = longer
            found.changed.append(f"{PARAMS}: {key}: {default} (the default) was added")
    if found.changed:
        write_bytes(PARAMS, text.encode())
    if not found.left:
        found.left += _complaints(yaml.safe_load(text))
    return found


def _add_sections(text: str, content: Mapping[str, Any], found: Found) -> str:
    """Return the text with the sections that came later as a whole, and note each."""
    for section in NEW_SECTIONS:
        if section not in content:
            prefix = f"{section}."
            keys = [key for key in ADDED if key.startswith(prefix)]
            lines = [f"  {key.removeprefix(prefix)}: {ADDED[key]}" for key in keys]
            text = "\n".join([text.rstrip("\n"), "", f"{section}:", *lines, ""])
            found.changed.append(f"{PARAMS}: the section {section} (its defaults) was added")
    return text


def _replace(text: str, content: Mapping[str, Any], found: Found) -> str:
    """Return the text with the new names of keys, and note what was changed or is left."""
    for key, (name, form) in REPLACED.items():
        section, _, old = key.partition(".")
        if not isinstance(content.get(section), dict) or old not in content[section]:
            continue
        value = content[section][old]
        entry = f"{name}: {form.format('null' if value is None else value)}"
        changed = None if name in content[section] else with_entry(text, section, old, entry)
        if changed is None:
            found.left.append(f"{PARAMS}: {key} is now {section}.{name}; write `{entry}` instead")
        else:
            text = changed
            found.changed.append(f"{PARAMS}: {key} is now {section}.{entry}")
    return text


def _names_before(section: str, name: str) -> list[str]:
    """Return the names that a key of a section had before."""
    return [
        key.partition(".")[2]
        for key, (now, _) in REPLACED.items()
        if (key.partition(".")[0], now) == (section, name)
    ]


def with_entry(text: str, section: str, old: str, entry: str) -> str | None:
    """Return the text of a YAML file with ``entry`` in the place of the key ``old`` of a section.

    A comment behind it stays. None if the key has no line of its own.
    """
    lines = text.splitlines()
    start = _heading(lines, section)
    written = re.compile(rf"(\s+){old}:\s*[^\s#]+(\s*(?:#.*)?)")
    for at in [] if start is None else _body(lines, start + 1):
        if line := written.fullmatch(lines[at]):
            lines[at] = f"{line[1]}{entry}{line[2]}"
            changed = "\n".join(lines) + "\n" * text.endswith("\n")
            return changed if _replaces(text, changed, section, old, entry) else None
    return None


def _replaces(text: str, changed: str, section: str, old: str, entry: str) -> bool:
    """Whether an entry instead of a key is all that the second text has otherwise."""
    try:
        expected, after = yaml.safe_load(text), yaml.safe_load(changed)
        del expected[section][old]
        expected[section] |= yaml.safe_load(entry)
    except (yaml.YAMLError, LookupError, TypeError):
        return False
    return bool(expected == after)


def with_key(text: str, section: str, name: str, value: str) -> str | None:
    """Return the text of a YAML file with a key at the end of a section.

    None if the section is not written as a block of lines.
    """
    lines = text.splitlines()
    start = _heading(lines, section)
    body = [] if start is None else _body(lines, start + 1)
    if not body:
        return None
    first, last = lines[body[0]], body[-1]
    indent = first[: len(first) - len(first.lstrip())]
    lines.insert(last + 1, f"{indent}{name}: {value}")
    changed = "\n".join(lines) + "\n" * text.endswith("\n")
    return changed if _differs_by(text, changed, section, name) else None


def _heading(lines: list[str], section: str) -> int | None:
    """Return which line begins a section that is written as a block of lines."""
    heading = re.compile(rf"{section}:\s*(#.*)?")
    return next((at for at, line in enumerate(lines) if heading.fullmatch(line)), None)


def _body(lines: list[str], start: int) -> list[int]:
    """Which lines from ``start`` on are indented, up to the next section.

    Blank lines and comments that are not indented may belong to either.
    """
    found = []
    for at in range(start, len(lines)):
        line = lines[at]
        if line.startswith((" ", "\t")) and line.strip():
            found.append(at)
        elif line.strip() and not line.startswith("#"):
            break
    return found


def _differs_by(text: str, changed: str, section: str, name: str) -> bool:
    """Whether a key is all that the second text has more than the first."""
    try:
        before, after = yaml.safe_load(text), yaml.safe_load(changed)
        del after[section][name]
    except (yaml.YAMLError, LookupError, TypeError):
        return False
    return bool(before == after)


def _complaints(content: Mapping[str, Any]) -> list[str]:
    """What keeps the params from being valid, if anything does."""
    try:
        parse_params(dict(content))
    except UserError as error:
        return [str(error)]
    return []
