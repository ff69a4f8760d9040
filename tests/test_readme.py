"""Every command that README shows is run: here in a clone, or by .ci/run itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.project import Project, clone

README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]
RUN_BY_CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A clone whose chain has run once."""
    project = clone(tmp_path_factory.mktemp("readme") / "project")
    project.run("dvc", "repro", "-q")
    project.run("git", "add", "-A")
    project.run("git", "commit", "-q", "-m", "first run")
    return project


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("make")])
def test_every_make_command_is_run_by_ci(command: str) -> None:
    assert command == "make help" or f"step {command}" in RUN_BY_CI


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("dvc")])
def test_every_dvc_command_works(command: str, project: Project) -> None:
    project.run(*command.split())


def test_no_other_kind_of_command_is_shown() -> None:
    kinds = {command.split()[0] for command in COMMANDS}
    assert kinds == {"make", "dvc", "source"}


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)\)", README))
def test_every_link_to_a_file_leads_somewhere(link: str) -> None:
    assert link.startswith("http") or (ROOT / link).exists()


def test_make_help_lists_every_target(project: Project) -> None:
    targets = re.findall(r"^([a-z]+):.*##", (Path(ROOT) / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    shown = project.run("make", "help").stdout
    assert all(f"make {target}" in shown for target in targets)


def test_the_keys_that_readme_shows_are_keys_of_the_params_file() -> None:
    from tests.conftest import default_params

    params = default_params()
    for section, key in re.findall(r"`([a-z]+)\.([a-z_]+)`", README):
        if section in params:
            assert key in params[section]
