"""Every command that README shows is run: here in a clone, by another test, or by .ci/run itself."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conftest import ROOT
from tests.project import Project, finished_clone

README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]
RUN_BY_CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
RUN_BY_TESTS = {"make help": "test_readme", "make sweep": "test_sweep_queue"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A clone whose chain has run once."""
    return finished_clone(tmp_path_factory.mktemp("readme") / "project")


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("make")])
def test_every_make_command_is_run_by_ci(command: str) -> None:
    if test := RUN_BY_TESTS.get(command):
        target = command.removeprefix("make ")
        assert f'"{target}"' in (ROOT / "tests" / f"{test}.py").read_text(encoding="utf-8")
    else:
        assert f"step {command}" in RUN_BY_CI


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("dvc")])
def test_every_dvc_command_works(command: str, project: Project) -> None:
    project.run(*command.split())


def test_no_other_kind_of_command_is_shown() -> None:
    kinds = {command.split()[0] for command in COMMANDS}
    assert kinds == {"make", "dvc", "source"}


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)\)", README))
def test_every_link_to_a_file_leads_somewhere(link: str) -> None:
    assert link.startswith("http") or (ROOT / link).exists()


def test_make_ui_serves_the_run_on_loopback(project: Project) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    recipe = project.run("make", "--no-print-directory", "-n", "-o", ".venv/installed", "ui", f"PORT={port}").stdout
    server = project.start("bash", "-c", recipe)
    try:
        answer = answered(f"http://127.0.0.1:{port}/api/2.0/mlflow/experiments/get-by-name", server)
        assert answer["experiment"]["name"] == "lab3-3-model-optimization"
        page = requests.get(f"http://127.0.0.1:{port}/", timeout=30)
        assert (page.status_code, "text/html" in page.headers["content-type"]) == (200, True)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


def answered(url: str, server: subprocess.Popen[bytes]) -> dict[str, Any]:
    """What the server says of the experiment, once it is up."""
    for _ in range(240):
        assert server.poll() is None, "the server has ended"
        try:
            answer = requests.get(url, params={"experiment_name": "lab3-3-model-optimization"}, timeout=30)
        except requests.ConnectionError:
            time.sleep(0.25)
            continue
        answer.raise_for_status()
        return dict(answer.json())
    raise TimeoutError(url)


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
