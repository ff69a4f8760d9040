"""The import rules: imports run down from the stages to the library, and never in a circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import networkx as nx
import pytest

from tests.conftest import ROOT

LAYERS = [
    {"errors", "extras", "limits", "text", "models", "pareto", "progress", "reading", "runtimes"},
    {"credentials", "engine", "held", "onnx_file"},
    {"graph", "tables"},
    {"boosters"},
    {"runtime"},
    {"certify"},
    {"scores"},
    {"torch_program"},
    {"estimators"},
    {"evaluate"},
    {"conversion"},
    {"given"},
    {"quantize"},
    {"benchmark", "bodies", "drift", "report"},
    {"serving"},
    {"tracking"},
    {"gates"},
    {"api", ""},
    {"pipeline"},
    {"commands"},
    {"cli"},
    {"__main__"},
]
"""The rooms and single files of onnxpress/, lowest first; the empty name is the package itself."""
HEIGHT = {room: height for height, layer in enumerate(LAYERS) for room in layer}
DVC_AND_PARAMS = {"pipeline", "commands", "cli", "__main__"}
"""The rooms that may know params.yaml, outputs/ and DVC."""

SOURCES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for folder in ("onnxpress", "stages")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if path.name != "sitecustomize.py"
}


def imported(module: str) -> Iterator[tuple[str, str]]:
    """Each of our modules that ``module`` imports, wherever in it, and the name taken from it."""
    for node in ast.walk(ast.parse(SOURCES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names if alias.name in SOURCES)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                if inner in SOURCES:
                    yield inner, ""
                elif node.module in SOURCES:
                    yield str(node.module), alias.name


def room(module: str) -> str:
    """The room or single file of onnxpress/ that a module is in."""
    return module.partition(".")[2].partition(".")[0]


EDGES = [(module, other, name) for module in SOURCES for other, name in imported(module)]


def test_every_room_has_its_layer() -> None:
    assert {room(module) for module in SOURCES if module.startswith("onnxpress")} == set(HEIGHT)


def test_no_import_runs_up() -> None:
    up = [
        f"{module} imports {other}"
        for module, other, _ in EDGES
        if module.startswith("onnxpress")
        and (other.startswith("stages") or HEIGHT[room(module)] < HEIGHT[room(other)])
    ]
    assert up == []


def test_no_two_rooms_of_a_layer_import_each_other() -> None:
    edges = {
        (room(module), room(other))
        for module, other, _ in EDGES
        if module.startswith("onnxpress") and room(module) != room(other)
    }
    level = [(one, other) for one, other in edges if HEIGHT[one] == HEIGHT[other]]
    assert list(nx.simple_cycles(nx.DiGraph(level))) == []


def test_no_files_import_each_other_in_a_circle() -> None:
    graph = nx.DiGraph([(module, other) for module, other, _ in EDGES if module != other])
    circles = [sorted(part) for part in nx.strongly_connected_components(graph)]
    assert [circle for circle in circles if len(circle) > 1] == []


def test_a_room_takes_only_public_names_of_another() -> None:
    private = [
        f"{module} takes {name or other} of {other}"
        for module, other, name in EDGES
        if room(module) != room(other)
        and any(part.startswith("_") and part != "__init__" for part in (name, *other.split(".")))
        and not name.startswith("__")
    ]
    assert private == []


def test_no_stage_imports_another() -> None:
    assert [
        edge for edge in EDGES if edge[0].startswith("stages.") and edge[1].startswith("stages")
    ] == []


@pytest.mark.parametrize("path", sorted((ROOT / "stages").glob("*.py")), ids=lambda path: path.stem)
def test_a_stage_is_a_page(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 60


def test_no_room_without_rooms_in_it_is_a_quarter_of_the_library() -> None:
    lines: dict[str, int] = {}
    for module, path in SOURCES.items():
        if module.startswith("onnxpress."):
            count = len(path.read_text(encoding="utf-8").splitlines())
            lines[room(module)] = lines.get(room(module), 0) + count
    whole = sum(lines.values())
    large = {name for name, count in lines.items() if count > whole / 4}
    inner = {name for name in large if any((ROOT / "onnxpress" / name).glob("*/__init__.py"))}
    assert large == inner


def test_only_the_pipeline_knows_params_outputs_and_dvc() -> None:
    """Messages that name files of the pipeline would mislead callers who use the library alone."""
    found = []
    for module, path in SOURCES.items():
        if not module.startswith("onnxpress.") or room(module) in DVC_AND_PARAMS:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
                continue
            if any(word in node.value for word in ("params.yaml", "outputs/", "dvc repro")):
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}: {node.value[:60]!r}")
    assert found == []


def test_no_test_imports_another_test_module() -> None:
    found = []
    for folder in ("tests", "bench"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names: list[str] = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom):
                    names = [f"{node.module}.{alias.name}" for alias in node.names]
                found += [
                    f"{path.relative_to(ROOT)} imports {name}"
                    for name in names
                    if name.startswith(("tests.", "test_"))
                    and any(part.startswith("test_") for part in name.split("."))
                ]
    assert found == []


def test_tests_lie_in_the_same_folders_as_what_they_test() -> None:
    """tests/quantize/forest/ tests onnxpress/quantize/forest/, and tests/gates/ tests gates.py."""
    elsewhere = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        folder = path.parent.relative_to(ROOT / "tests")
        if folder.parts and folder.parts[0] in {"bench", "docs", "kubeflow", "slow", "stages"}:
            continue
        tested = ROOT / "onnxpress" / folder
        if not folder.parts or not (tested.is_dir() or tested.with_suffix(".py").is_file()):
            elsewhere.append(str(path.relative_to(ROOT)))
    assert elsewhere == []
