"""Every command that README shows is run: here in a clone, by another test, or by .ci/run itself."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from onnxpress.commands.reference import with_parts
from onnxpress.errors import UserError
from onnxpress.pipeline.files import read_json
from tests.conftest import ROOT
from tests.support.project import Project, finished_clone
from tests.support.servers import s3_server

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
MAKE_COMMANDS = [line for block in BLOCKS for line in block.splitlines() if line.startswith("make")]
OTHER_BLOCKS = [block for block in BLOCKS if "make " not in block]
OWN_ENVIRONMENT = "python3 -m venv"
RUN_BY_CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
RUN_BY_TESTS = {"make help": "test_readme", "make sweep": "test_sweep_queue"}


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Variables that lead to an S3 store with README's bucket."""
    with s3_server(tmp_path_factory.mktemp("storage")) as s3:
        s3.client().create_bucket(Bucket="my-bucket")
        yield s3.variables()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A clone whose chain has run once."""
    return finished_clone(tmp_path_factory.mktemp("readme") / "project")


@pytest.mark.parametrize("command", MAKE_COMMANDS)
def test_every_make_command_is_run_by_ci(command: str) -> None:
    if test := RUN_BY_TESTS.get(command):
        target = command.removeprefix("make ")
        assert f'"{target}"' in (ROOT / "tests" / f"{test}.py").read_text(encoding="utf-8")
    else:
        assert f"step {command}" in RUN_BY_CI


@pytest.mark.parametrize("block", [block for block in OTHER_BLOCKS if OWN_ENVIRONMENT not in block])
def test_every_other_command_works(
    block: str, project: Project, storage: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in storage.items():
        monkeypatch.setenv(name, value)
    commands = block.replace(
        "source .venv/bin/activate\n", ""
    )  # the tests' own environment is active
    project.run("bash", "-euc", commands)


@pytest.mark.parametrize("block", [block for block in OTHER_BLOCKS if OWN_ENVIRONMENT in block])
def test_pip_alone_makes_an_environment_that_runs_the_chain(
    block: str, project: Project, tmp_path: Path
) -> None:
    copy = project.copy(tmp_path / "project")
    copy.run("git", "restore", "-q", "-s", "main", ".")
    assert (
        copy.run("bash", "-euc", f"{block}\nwhich dvc").stdout.splitlines()[-1]
        == f"{copy.folder}/.venv/bin/dvc"
    )


def test_what_is_made_from_the_code_is_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert with_parts(README) == README, "run make docs"


def test_a_readme_without_room_for_the_made_parts_is_refused() -> None:
    with pytest.raises(UserError, match="should hold the lines <!-- params"):
        with_parts("# onnxpress\n")


def test_every_number_that_a_run_gives_is_explained(project: Project) -> None:
    keys = [
        key
        for name in ("metrics", "latency")
        for key in read_json(project.folder / f"outputs/{name}.json")
    ]
    explained = set(re.findall(r"`([\w<>]+)`", README))
    general = {
        re.sub(
            r"batch_\d+$",
            "batch_<n>",
            re.sub(r"^(original|onnx|quantized)_(?!vs_)", "<model>_", key),
        )
        for key in keys
    }
    assert keys
    assert {
        key
        for key in general
        if key not in explained and key.replace("<model>", "quantized") not in explained
    } == set()


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)\)", README))
def test_every_link_to_a_file_leads_somewhere(link: str) -> None:
    assert link.startswith("http") or (ROOT / link).exists()


def test_make_ui_serves_the_run_on_loopback(project: Project) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    recipe = project.run(
        "make", "--no-print-directory", "-n", "-o", ".venv/installed", "ui", f"PORT={port}"
    ).stdout
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
            answer = requests.get(
                url, params={"experiment_name": "lab3-3-model-optimization"}, timeout=30
            )
        except requests.ConnectionError:
            time.sleep(0.25)
            continue
        answer.raise_for_status()
        return dict(answer.json())
    raise TimeoutError(url)


def test_make_help_lists_every_target(project: Project) -> None:
    targets = re.findall(
        r"^([a-z]+):.*##", (Path(ROOT) / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
    )
    shown = project.run("make", "help").stdout
    assert all(f"make {target}" in shown for target in targets)


def test_the_keys_that_readme_shows_are_keys_of_the_params_file() -> None:
    from tests.conftest import default_params

    params = default_params()
    for section, key in re.findall(r"`([a-z]+)\.([a-z_]+)`", README):
        if section in params:
            assert key in params[section]
