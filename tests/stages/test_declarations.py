"""dvc.yaml declares what the stages really use.

Code they import, files they name, sections of params.yaml they read.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
import yaml

from onnxpress.pipeline import outputs as files
from onnxpress.pipeline.params import ENGINE, Params
from tests.conftest import ROOT
from tests.support.project import CHAIN

STAGES: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
ROOTS = ("stages", "onnxpress")
WITHOUT_COMPUTING = {"gate", "publish"}


def paths(entries: list[Any]) -> set[str]:
    """Paths of a list of deps or outs, which are strings or one-key mappings."""
    return {entry if isinstance(entry, str) else next(iter(entry)) for entry in entries}


def declared_deps(stage: str) -> set[str]:
    return paths(STAGES[stage]["deps"])


def declared_outs(stage: str) -> set[str]:
    return paths(
        [entry for kind in ("outs", "metrics", "plots") for entry in STAGES[stage].get(kind, [])]
    )


def imported_modules(module: str, seen: set[str]) -> set[str]:
    """Every module under stages and onnxpress that running ``module`` can import, however deep."""
    path = ROOT / (module.replace(".", "/") + ".py")
    path = path if path.exists() else ROOT / module.replace(".", "/") / "__init__.py"
    if module in seen or not path.exists():
        return seen
    seen.add(module)
    if module == "onnxpress":  # its public names are imported only when they are used
        return seen
    if module.count(".") > 1:  # importing a module imports the packages that it lies in
        imported_modules(module.rpartition(".")[0], seen)
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parent = package.rsplit(".", node.level - 1)[0] if node.level else ""
            base = ".".join(filter(None, [parent, node.module]))
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        for name in names:
            if name.split(".")[0] in ROOTS:
                imported_modules(name, seen)
    return seen


def rooms(modules: set[str]) -> set[str]:
    """The rooms, and the single files beside them, that modules lie in."""
    places = {"/".join(module.split(".")[:2]) for module in modules if module.count(".") > 0}
    return {place if (ROOT / place).is_dir() else f"{place}.py" for place in places}


def own_sources(stage: str) -> list[ast.Module]:
    """Return the code that reads and writes files for this stage alone."""
    paths = [f"stages/{stage}.py"]
    if stage == "publish":
        paths.append("onnxpress/pipeline/publication.py")
    return [ast.parse((ROOT / path).read_text(encoding="utf-8")) for path in paths]


def named_files(stage: str) -> set[str]:
    """Files of onnxpress.pipeline.files that the stage's own code imports by name."""
    names = {
        alias.name
        for tree in own_sources(stage)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "onnxpress.pipeline.outputs"
        for alias in node.names
    }
    found: set[str] = set()
    for name in names:
        value = getattr(files, name)
        values = value.values() if isinstance(value, dict) else [value]
        found |= {str(item) for item in values if isinstance(item, Path)}
    return found - {"outputs"}


def read_sections(stage: str) -> set[str]:
    """List the sections of params.yaml that a stage's code reads as attributes of its params."""
    sections: set[str] = set()
    for tree in own_sources(stage):
        for node in ast.walk(tree):
            if not isinstance(node, ast.Attribute) or node.attr not in Params.model_fields:
                continue
            of_variable = isinstance(node.value, ast.Name) and node.value.id == "params"
            of_call = (
                isinstance(node.value, ast.Call) and ast.unparse(node.value) == "load_params()"
            )
            sections |= {node.attr} if of_variable or of_call else set()
    return sections


def read_keys(stage: str) -> set[str]:
    """List the keys that a stage's code reads of a section, as in ``params.evaluate.score``."""
    keys: set[str] = set()
    for tree in own_sources(stage):
        for node in ast.walk(tree):
            parts = ast.unparse(node).split(".") if isinstance(node, ast.Attribute) else []
            if len(parts) == 3 and parts[0] == "params" and parts[1] in Params.model_fields:
                keys.add(f"{parts[1]}.{parts[2]}")
    return keys


def test_the_stages_are_those_of_the_chain_in_order() -> None:
    assert list(STAGES) == CHAIN


@pytest.mark.parametrize("stage", CHAIN)
def test_every_imported_module_is_covered_by_the_stages_deps(stage: str) -> None:
    modules = imported_modules(f"stages.{stage}", set())
    folders = rooms(modules)
    assert f"stages/{stage}.py" in folders
    assert folders - declared_deps(stage) == set()


@pytest.mark.parametrize("stage", CHAIN)
def test_no_stage_depends_on_code_that_it_does_not_import(stage: str) -> None:
    modules = imported_modules(f"stages.{stage}", set())
    folders = rooms(modules)
    assert {
        dep for dep in declared_deps(stage) if dep.startswith(("stages/", "onnxpress/"))
    } - folders == set()


@pytest.mark.parametrize("stage", CHAIN)
def test_every_named_file_is_declared(stage: str) -> None:
    assert (
        named_files(stage) - declared_deps(stage) - declared_outs(stage) - {"params.yaml"} == set()
    )


@pytest.mark.parametrize("stage", CHAIN)
def test_the_sections_read_are_the_sections_declared(stage: str) -> None:
    declared = {key.partition(".")[0] for key in STAGES[stage].get("params", [])}
    if stage == "publish":  # logs the whole file
        assert declared == set(Params.model_fields) - {ENGINE}
    else:
        assert read_sections(stage) - {ENGINE} == declared


@pytest.mark.parametrize("stage", CHAIN)
def test_the_keys_read_are_declared_by_themselves_or_by_their_section(stage: str) -> None:
    declared = set(STAGES[stage].get("params", []))
    properties = {"train.trusted": "train.trust"}
    read = {properties.get(key, key) for key in read_keys(stage)} - {f"{ENGINE}.scheduler"}
    assert {key for key in read - declared if key.partition(".")[0] not in declared} == set()


@pytest.mark.parametrize("stage", CHAIN)
def test_an_upgraded_library_makes_every_computing_stage_stale(stage: str) -> None:
    assert ("requirements/main.lock" in declared_deps(stage)) == (stage not in WITHOUT_COMPUTING)


def test_every_file_a_stage_needs_is_made_by_an_earlier_one() -> None:
    made: set[str] = set()
    for stage in CHAIN:
        needed = {dep for dep in declared_deps(stage) if dep.startswith("outputs/")}
        assert needed <= made
        made |= declared_outs(stage)
