"""``make stability`` runs the chain itself, elsewhere, and leaves the repository as it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from onnxpress.commands.stability.chains import TIMED
from onnxpress.pipeline.files import read_json
from tests.support.clusters import local
from tests.support.project import Project, finished_clone

__all__ = ["local"]

MAKE = ("make", "--no-print-directory", "-o", ".venv/installed")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, chains: Path) -> Project:
    """A clone whose chain has run once, on iris."""
    return finished_clone(tmp_path_factory.mktemp("stability") / "project", chains, "gate")


@pytest.fixture(scope="module")
def said(project: Project) -> str:
    """What two seeds gave, as JSON."""
    before = project.times()
    said = project.run(*MAKE, "stability", "STABILITY=--seeds 2 --json").stdout
    assert project.times() == before
    return said


@pytest.fixture(scope="module")
def repeated(said: str) -> dict[str, Any]:
    """The same, read."""
    return dict(json.loads(said))


def test_the_seed_of_the_params_gives_what_the_chain_gave(
    project: Project, repeated: dict[str, Any]
) -> None:
    gates = read_json(project.folder / "outputs/gate.json")
    expected = {
        name: each
        for name, each in gates.items()
        if each["passed"] is not None and name not in TIMED
    }
    assert repeated["runs"][0]["gates"] == expected


def test_another_seed_splits_otherwise(repeated: dict[str, Any]) -> None:
    first, second = repeated["runs"]
    assert (first["seed"], second["seed"]) == (42, 43)
    assert first["gates"] != second["gates"]


def test_nothing_of_the_repository_changes(project: Project, repeated: dict[str, Any]) -> None:
    assert repeated["failures"] == {}
    assert project.run("git", "status", "--porcelain").stdout == ""


def test_a_cluster_says_the_same_byte_for_byte(project: Project, said: str, local: Any) -> None:
    project.change(engine__scheduler=local.scheduler_address)
    command = ("python", "-m", "onnxpress", "stability", "--seeds", "2", "--json")
    assert project.run(*command).stdout == said
