"""What README shows of the code, made from it: the parameters from their schema, the graph of stages from dvc.yaml.

``make docs`` brings README.md up to date, and a test holds it against the code.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from onnxpress.errors import UserError
from onnxpress.pipeline.console import say
from onnxpress.pipeline.files import write_bytes
from onnxpress.pipeline.outputs import PARAMS
from onnxpress.pipeline.params import Params

README, PIPELINE = Path("README.md"), Path("dvc.yaml")
BEGIN, END = "<!-- {}: written by `make docs` -->\n", "<!-- end of {} -->\n"
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
    """Put the parts into README.md, each between its two comments."""
    text = README.read_text(encoding="utf-8")
    updated = with_parts(text)
    write_bytes(README, updated.encode())
    say(f"{README}: {'as it was' if updated == text else 'brought up to date'}")


def with_parts(text: str) -> str:
    """The text of a README with its made parts as they should be."""
    for name, part in {"params": markdown(), "dag": mermaid()}.items():
        begin, end = BEGIN.format(name), END.format(name)
        if begin not in text or end not in text:
            raise UserError(
                f"{README} should hold the lines {begin.strip()} and {end.strip()}; restore them from git"
            )
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}\n{part}\n{end}{rest.partition(end)[2]}"
    return text


def mermaid() -> str:
    """The graph of stages as a Mermaid flowchart, without the edges that a longer way implies."""
    import networkx as nx

    stages = yaml.safe_load(PIPELINE.read_text(encoding="utf-8"))["stages"]
    made_by = {
        path: name
        for name, stage in stages.items()
        for path in paths(stage, "outs", "metrics", "plots")
    }
    needs = ((path, name) for name, stage in stages.items() for path in stage["deps"])
    graph = nx.DiGraph([(made_by[path], name) for path, name in needs if path in made_by])
    edges = sorted(
        nx.transitive_reduction(graph).edges,
        key=lambda edge: [list(stages).index(name) for name in edge],
    )
    return "\n".join(
        [
            "```mermaid",
            "flowchart LR",
            *(f"    {one} --> {other}" for one, other in edges),
            "```",
            "",
        ]
    )


def paths(stage: Json, *kinds: str) -> Iterator[str]:
    """The files that a stage of dvc.yaml lists under ``kinds``; an entry with settings is a mapping of one key."""
    for entry in (entry for kind in kinds for entry in stage.get(kind, [])):
        yield entry if isinstance(entry, str) else next(iter(entry))


def markdown() -> str:
    """A row per key: its default, the values that it takes, and what it means."""
    rows = [
        HEADINGS,
        ("---",) * len(HEADINGS),
        *rows_of(yaml.safe_load(PARAMS.read_text(encoding="utf-8"))),
    ]
    return "".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |\n" for row in rows
    )


def rows_of(defaults: Json) -> Iterator[tuple[str, str, str, str]]:
    """Key, default, values and meaning of each setting, in the order of the schema; ``defaults`` is a params.yaml."""
    schema = Params.model_json_schema()
    for name, entry in _settings(schema["properties"], schema["$defs"]):
        value: Any = defaults
        for part in name.split("."):
            value = value[part]
        yield (
            f"`{name}`",
            f"`{json.dumps(value)}`".replace('"', ""),
            values(entry),
            entry["description"],
        )


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
