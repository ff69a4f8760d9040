"""The parameter reference of README.md, made from the typed schema: ``python -m stages.reference`` brings it up to date."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from stages.common.console import say
from stages.common.errors import UserError, run_stage
from stages.common.files import PARAMS, write_bytes
from stages.common.params import Params

README = Path("README.md")
BEGIN, END = "<!-- params: written by `make docs` -->\n", "<!-- end of params -->\n"
HEADINGS = ("key", "default", "values", "meaning")

WORDS = {
    "integer": "whole number",
    "number": "number",
    "string": "text",
    "boolean": "true or false",
    "object": "mapping",
    "null": "null",
}
"""Types of JSON schema, said for people."""

Json = Mapping[str, Any]


def main() -> None:
    """Put the table into README.md, between its two comments."""
    text = README.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        raise UserError(f"{README} should hold the lines {BEGIN.strip()} and {END.strip()}; restore them from git")
    before, _, rest = text.partition(BEGIN)
    updated = f"{before}{BEGIN}\n{markdown()}\n{END}{rest.partition(END)[2]}"
    write_bytes(README, updated.encode())
    say(f"{README}: {'as it was' if updated == text else 'parameter reference updated'}")


def markdown() -> str:
    """A row per key: its default, the values that it takes, and what it means."""
    rows = [HEADINGS, ("---",) * len(HEADINGS), *rows_of(yaml.safe_load(PARAMS.read_text(encoding="utf-8")))]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def rows_of(defaults: Json) -> Iterator[tuple[str, str, str, str]]:
    """Key, default, values and meaning of each setting, in the order of the schema; ``defaults`` is a params.yaml."""
    schema = Params.model_json_schema()
    for name, entry in _settings(schema["properties"], schema["$defs"]):
        value: Any = defaults
        for part in name.split("."):
            value = value[part]
        yield f"`{name}`", f"`{json.dumps(value)}`".replace('"', ""), values(entry), entry["description"]


def _settings(properties: Json, definitions: Json, prefix: str = "") -> Iterator[tuple[str, Json]]:
    for name, entry in properties.items():
        if reference := entry.get("$ref"):
            section = definitions[reference.rpartition("/")[2]]
            yield from _settings(section["properties"], definitions, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", entry


def values(entry: Json) -> str:
    """What a setting takes, in words, from its JSON schema."""
    if options := entry.get("anyOf"):
        return " or ".join(values(option) for option in options)
    if options := entry.get("enum"):
        return ", ".join(str(option) for option in options)
    if entry["type"] == "array":
        return f"list of {values(entry['items'])}"
    return " ".join([WORDS[entry["type"]], *_bounds(entry)])


def _bounds(entry: Json) -> Iterator[str]:
    low, high = entry.get("minimum"), entry.get("maximum")
    if low is not None and high is not None:
        yield f"{low:,.10g} to {high:,.10g}"
    elif low is not None:
        yield f"from {low:,.10g}"
    if (above := entry.get("exclusiveMinimum")) is not None:
        yield f"above {above:,.10g}"
    if (below := entry.get("exclusiveMaximum")) is not None:
        yield f"below {below:,.10g}"


if __name__ == "__main__":
    run_stage("docs", main)
