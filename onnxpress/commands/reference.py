"""Make those parts of README.md and docs/ that follow from the code, and put them in their pages.

``make docs`` brings the pages up to date. A test fails if one is stale.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import os
import re
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from onnxpress.errors import UserError
from onnxpress.pipeline.console import say
from onnxpress.pipeline.files import write_bytes
from onnxpress.pipeline.outputs import PARAMS
from onnxpress.pipeline.params import Params

PIPELINE, MAKEFILE, PACKAGE = Path("dvc.yaml"), Path("Makefile"), Path("onnxpress")
FORESTS = Path("bench/results/forests.json")

BEGIN, END = "<!-- {}: written by `make docs` -->\n", "<!-- end of {} -->\n"

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
    """Bring every page up to date and say which ones changed."""
    changed = [page for page in pages() if _bring_up_to_date(page)]
    for page in changed:
        say(f"{page}: brought up to date")
    if not changed:
        say("all pages are up to date")


def pages() -> list[Path]:
    """The pages that may have made parts."""
    return [Path("README.md"), *sorted(Path("docs").glob("*.md"))]


def _bring_up_to_date(page: Path) -> bool:
    text = page.read_text(encoding="utf-8")
    updated = with_parts(text, page)
    if updated != text:
        write_bytes(page, updated.encode())
    return updated != text


def with_parts(text: str, page: Path) -> str:
    """Return the text of a page with each of its made parts as the code has it now.

    Raises:
        UserError: a part begins and does not end, or nothing makes a part of that name.
    """
    for name in parts_of(text):
        begin, end = BEGIN.format(name), END.format(name)
        if name not in PARTS or end not in text:
            raise UserError(
                f"{page} has the line {begin.strip()} without {end.strip()}, or its name is not "
                f"one of {', '.join(PARTS)}; restore the page from git"
            )
        before, _, rest = text.partition(begin)
        after = rest.partition(end)[2]
        text = f"{before}{begin}\n{PARTS[name]()}\n{end}{after}"
    return text


def parts_of(text: str) -> list[str]:
    """The names of the made parts of a page, in order."""
    return re.findall(r"^<!-- (\w+): written by `make docs` -->$", text, re.MULTILINE)


def parameters() -> str:
    """A row per key of params.yaml: its default, the values that it takes, and its meaning."""
    defaults = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    return table(("key", "default", "values", "meaning"), rows_of(defaults))


def rows_of(defaults: Json) -> Iterator[tuple[str, str, str, str]]:
    """Key, default, values and meaning of each setting, in the order of the schema.

    ``defaults`` is the content of a params.yaml.
    """
    schema = Params.model_json_schema()
    for name, entry in _settings(schema["properties"], schema["$defs"]):
        value: Any = defaults
        for part in name.split("."):
            value = value[part]
        default = json.dumps(value).replace('"', "")
        yield f"`{name}`", f"`{default}`", values(entry), entry["description"]


def _settings(properties: Json, definitions: Json, prefix: str = "") -> Iterator[tuple[str, Json]]:
    for name, entry in properties.items():
        if reference := entry.get("$ref"):
            section = definitions[reference.rpartition("/")[2]]
            yield from _settings(section["properties"], definitions, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", entry


def values(entry: Json) -> str:
    """Say in words what a setting takes, from its JSON schema."""
    if options := entry.get("anyOf"):
        return " or ".join(values(option) for option in options)
    if "$ref" in entry:
        return "mapping"
    if options := entry.get("enum"):
        return ", ".join(str(option) for option in options)
    if "$ref" in entry:
        return "mapping"
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


def stage_graph() -> str:
    """The graph of stages, from dvc.yaml: an edge where a stage reads what another one writes."""
    stages = yaml.safe_load(PIPELINE.read_text(encoding="utf-8"))["stages"]
    made_by = {}
    for name, stage in stages.items():
        for path in _paths(stage, "outs", "metrics", "plots"):
            made_by[path] = name
    edges = [
        (made_by[path], name)
        for name, stage in stages.items()
        for path in stage["deps"]
        if path in made_by
    ]
    return flowchart(edges, list(stages))


def _paths(stage: Json, *kinds: str) -> Iterator[str]:
    """The files that a stage of dvc.yaml lists under ``kinds``.

    An entry with settings is a mapping of one key.
    """
    for kind in kinds:
        for entry in stage.get(kind, []):
            yield entry if isinstance(entry, str) else next(iter(entry))


def rooms() -> str:
    """A row per room with the first line of its docstring; single files come last."""
    folders = sorted(path.parent for path in PACKAGE.glob("*/__init__.py"))
    files = sorted(path for path in PACKAGE.glob("*.py") if not path.stem.startswith("__"))
    rows = [(f"`{folder.name}/`", _first_line(folder / "__init__.py")) for folder in folders]
    rows += [(f"`{file.name}`", _first_line(file)) for file in files]
    return table(("room", "content"), rows)


def _first_line(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return _in_markdown(docstring.partition("\n")[0])


def room_graph() -> str:
    """The graph of rooms, from their imports: an arrow from a room to one that it imports."""
    imported = room_imports()
    edges = [
        (room, other)
        for room in imported
        for other in imported[room]
        if (PACKAGE / room).is_dir() and (PACKAGE / other).is_dir()
    ]
    return flowchart(edges, sorted(imported), direction="TD")


def room_imports() -> dict[str, set[str]]:
    """Which rooms each room of the library imports; a room is a folder or a file beside them."""
    found: dict[str, set[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        room = path.relative_to(PACKAGE).with_suffix("").parts[0]
        if room.startswith("__"):
            continue
        names = found.setdefault(room, set())
        names.update(_rooms_named_in(ast.parse(path.read_text(encoding="utf-8"))))
        names.discard(room)
    return {room: names & found.keys() for room, names in found.items()}


def _rooms_named_in(tree: ast.Module) -> Iterator[str]:
    prefix = f"{PACKAGE}."
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == str(PACKAGE):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(prefix):
            yield str(node.module).split(".")[1]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
            yield from (name.split(".")[1] for name in names if name.startswith(prefix))


def targets() -> str:
    """A row per make target, with its comment in the Makefile."""
    found = re.findall(r"^([a-z]+):.*?## (.*)$", MAKEFILE.read_text(encoding="utf-8"), re.MULTILINE)
    return table(("target", "does"), [(f"`make {name}`", text) for name, text in found])


def command_help() -> str:
    """The help of the `onnxpress` command and of each of its subcommands."""
    overview = _help_of()
    names = re.findall(r"^  ([a-z]+)  ", overview.partition("--help")[2], re.MULTILINE)
    parts = [_fenced(overview, "text")]
    for name in names:
        parts += [f"### onnxpress {name}\n", _fenced(_help_of(name), "text")]
    return "\n".join(parts)


def _help_of(*words: str) -> str:
    command = [sys.executable, "-m", str(PACKAGE), *words, "--help"]
    environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1"}
    done = subprocess.run(  # noqa: S603 - our own command
        command, check=True, capture_output=True, text=True, env=environment
    )
    return done.stdout


def library() -> str:
    """Each public function: its signature, its docstring, and its arguments as a table."""
    package = importlib.import_module(str(PACKAGE))
    parts = []
    for name in package.__all__:
        function = getattr(package, name)
        if inspect.isfunction(function):
            parts += [f"### {name}\n", _fenced(_signature(name, function), "python")]
            parts += _described(inspect.getdoc(function) or "")
    return "\n".join(parts)


def _described(docstring: str) -> Iterator[str]:
    """The text of a docstring before its arguments, then the arguments as a table."""
    text, _, rest = _in_markdown(docstring).partition("\nArgs:\n")
    yield f"{text.strip()}\n"
    arguments = re.match(r"(    .*\n)+", rest)
    if arguments:
        # A line of an argument begins with four spaces, its further lines with eight.
        items = re.split(r"^ {4}(?=\w)", arguments[0], flags=re.MULTILINE)[1:]
        rows = [item.split(": ", 1) for item in items]
        yield table(
            ("argument", "meaning"), [(f"`{name}`", " ".join(text.split())) for name, text in rows]
        )


def _in_markdown(docstring: str) -> str:
    """A docstring with its names as Markdown writes them: ``:func:`f` `` becomes `` `f` ``."""
    return re.sub(r":\w+:`([\w.]+)`", r"`\1`", docstring).replace("``", "`")


def _signature(name: str, function: Callable[..., Any]) -> str:
    """The signature with a line for each parameter, the types as they are written."""
    signature = inspect.signature(function)
    lines = []
    for parameter in signature.parameters.values():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and "    *," not in lines:
            lines.append("    *,")
        lines.append(f"    {parameter.name}: {parameter.annotation}{_default(parameter)},")
    return "\n".join([f"{name}(", *lines, f") -> {signature.return_annotation}"])


def _default(parameter: inspect.Parameter) -> str:
    """The default of a parameter as code: `` = 0.0``, or nothing; of a function its name."""
    if parameter.default is inspect.Parameter.empty:
        return ""
    return f" = {getattr(parameter.default, '__name__', repr(parameter.default))}"


def _fenced(text: str, language: str) -> str:
    return f"```{language}\n{text.strip()}\n```\n"


def results() -> str:
    """What quantisation does to forests: medians over the models of the last full bench."""
    bench = json.loads(FORESTS.read_text(encoding="utf-8"))
    reached = {bar["name"].partition(" (median")[0]: bar["value"] for bar in bench["bars"]}
    rows = []
    for family, words in {"forests": "forests", "boosting": "boosting models"}.items():
        models = _models_of(family, bench["rows"])
        smaller = statistics.median(model["lossless"]["smaller"] for model in models)
        faster = statistics.median(_speed_up(model, "lossless") for model in models)
        rows.append((f"{len(models)} {words}, lossless", f"{smaller:.1f}", f"{faster:.1f}", "0"))
        smaller = reached[f"refined, {family}: x smaller"]
        faster = reached[f"refined, {family}: x faster at batch 1024"]
        lost = reached[f"refined, {family}: points lost"]
        points = f"{lost:.1f}" if lost > 0 else f"{-lost:.1f} gained"
        rows.append((f"{len(models)} {words}, refined", f"{smaller:.0f}", f"{faster:.0f}", points))
    heading = ("medians", "times smaller", "times faster, 1,024 rows", "points of score lost")
    return table(heading, rows, align="---:")


def _models_of(family: str, rows: Iterable[Json]) -> list[dict[str, Json]]:
    """Each benched model of the family: the rows of its contestants by name."""
    found: dict[tuple[str, str], dict[str, Json]] = {}
    for row in rows:
        if (family == "boosting") == ("Boosting" in row["estimator"]):
            model = found.setdefault((row["data"], row["estimator"]), {})
            model[row["contestant"]] = row
    return list(found.values())


def _speed_up(model: Mapping[str, Json], contestant: str) -> float:
    """How many times faster than model.onnx at 1,024 rows a call, on the split that was timed."""
    onnx, other = model["ONNX"], model[contestant]
    return float(onnx["us_per_row_1024"] / other["us_per_row_1024"])


def table(heading: tuple[str, ...], rows: Iterable[tuple[str, ...]], align: str = "---") -> str:
    """A table in Markdown; ``align`` is that of every column but the first."""
    lines = [heading, ("---", *[align] * (len(heading) - 1)), *rows]
    return "".join(f"| {' | '.join(_escaped(cell) for cell in line)} |\n" for line in lines)


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|")


def flowchart(edges: list[tuple[str, str]], order: list[str], direction: str = "LR") -> str:
    """A Mermaid flowchart without the edges that a longer way implies."""
    import networkx as nx

    graph = nx.DiGraph(edges)
    if nx.is_directed_acyclic_graph(graph):
        graph = nx.transitive_reduction(graph)
    ordered = sorted(graph.edges, key=lambda edge: [order.index(name) for name in edge])
    arrows = [f"    {one} --> {other}" for one, other in ordered]
    return "\n".join(["```mermaid", f"flowchart {direction}", *arrows, "```", ""])


PARTS: dict[str, Callable[[], str]] = {
    "params": parameters,
    "dag": stage_graph,
    "rooms": rooms,
    "roomgraph": room_graph,
    "targets": targets,
    "help": command_help,
    "library": library,
    "results": results,
}
"""The parts that can be made, by the name in their comments."""
