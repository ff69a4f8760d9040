"""Every command of README and docs/ is run: here in a clone, by another test, or by .ci/run."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import pytest
import requests
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

from onnxpress.limits import is_scorer
from onnxpress.pipeline.files import read_json
from tests.conftest import ROOT
from tests.support import pages
from tests.support.project import Project, finished_clone
from tests.support.servers import free_port, s3_server

OWN_ENVIRONMENT = "python3 -m venv"
ACTIVATE = "source .venv/bin/activate\n"
OUTPUTS = pages.text(ROOT / "docs" / "outputs.md")
BLOCKS = pages.other_blocks(pages.PAGES)
ON_A_CLUSTER = [block for block in BLOCKS if block.startswith(("docker run", "kubectl apply"))]
"""What they read is held to by tests/serving and tests/slow/test_serving_formats.py."""
TO_AN_ENDPOINT = [block for block in BLOCKS if block.startswith("onnxpress verify-endpoint")]
"""Run by tests/slow/test_verify_endpoint.py."""
BY_PROMETHEUS = [block for block in BLOCKS if block.startswith("prometheus ")]
"""Run by tests/slow/test_monitoring.py."""
ON_DRIFT = [block for block in BLOCKS if block.startswith("onnxpress drift")]
"""Run by tests/slow/test_drift_metrics.py."""
SCORING = [block for block in BLOCKS if block.startswith("onnxpress score")]
"""Run by tests/slow/test_score_kills.py."""
FROM_S3 = [block for block in BLOCKS if block.startswith("dvc import-url")]
"""Run by tests/slow/test_s3_rows.py."""
ON_NETS = [block for block in BLOCKS if "--name digits-cnn" in block]
"""Run by tests/slow/test_nets.py."""
ON_RANKERS = [block for block in BLOCKS if "--name ranking" in block]
"""Run by tests/slow/test_rankers.py."""
ELSEWHERE = (
    *(*ON_A_CLUSTER, *TO_AN_ENDPOINT, *BY_PROMETHEUS, *ON_DRIFT, *SCORING, *FROM_S3),
    *(*ON_NETS, *ON_RANKERS),
)
ANYWHERE = [block for block in BLOCKS if block.startswith("onnxpress ") and block not in ELSEWHERE]
WITH_PIP = [block for block in BLOCKS if OWN_ENVIRONMENT in block]
IN_THE_REPOSITORY = [block for block in BLOCKS if block not in (*ANYWHERE, *WITH_PIP, *ELSEWHERE)]

RUN_BY_TESTS = {
    "make help": "tests/slow/test_page_commands.py",
    "make migrate": "tests/slow/test_page_commands.py",
    "make rollback": "tests/slow/test_rollback.py",
    "make serve": "tests/support/packaged.py",
    "make stability": "tests/slow/test_stability.py",
    "make sweep": "tests/slow/test_sweep_queue.py",
}


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Variables that lead to an S3 store with the bucket of the recipes."""
    with s3_server(tmp_path_factory.mktemp("storage")) as s3:
        s3.client().create_bucket(Bucket="my-bucket")
        yield s3.variables()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, chains: Path) -> Project:
    """A clone whose chain has run once."""
    return finished_clone(tmp_path_factory.mktemp("pages") / "project", chains)


@pytest.mark.parametrize("command", pages.make_commands(pages.PAGES))
def test_every_make_command_is_run_by_ci(command: str) -> None:
    if test := RUN_BY_TESTS.get(command):
        target = command.removeprefix("make ")
        assert f'"{target}"' in (ROOT / test).read_text(encoding="utf-8")
    else:
        assert f"step {command}" in pages.RUN_BY_CI


@pytest.mark.parametrize("block", IN_THE_REPOSITORY)
def test_every_other_command_works(
    block: str, project: Project, storage: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in storage.items():
        monkeypatch.setenv(name, value)
    commands = block.replace(ACTIVATE, "")  # the tests' own environment is active
    project.run("bash", "-euc", commands)


@pytest.mark.parametrize("block", ANYWHERE)
def test_the_command_works_in_a_folder_with_nothing_but_the_files(
    block: str, tmp_path: Path
) -> None:
    bring_a_model_and_rows(tmp_path)
    command = 'onnxpress() { python -m onnxpress "$@"; }'
    done = Project(tmp_path).run("bash", "-euc", f"{command}\n{block}", PYTHONPATH=str(ROOT))
    assert "same prediction on" in done.stdout


def bring_a_model_and_rows(folder: Path) -> None:
    """Write the files that README's commands name, with rows of digits."""
    columns, target = load_digits(return_X_y=True, as_frame=True)
    forest = RandomForestClassifier(20, random_state=0).fit(columns[:1200], target[:1200])
    (folder / "models").mkdir()
    joblib.dump(forest, folder / "models" / "mine.joblib")
    rows = columns.assign(y=target)
    rows[1200:1500].to_parquet(folder / "rows.parquet")
    rows[1500:].to_parquet(folder / "test.parquet")


@pytest.mark.parametrize("block", WITH_PIP)
def test_pip_alone_makes_an_environment_that_runs_the_chain(
    block: str, project: Project, tmp_path: Path
) -> None:
    copy = project.copy(tmp_path / "project")
    copy.run("git", "restore", "-q", "-s", "main", ".")
    said = copy.run("bash", "-euc", f"{block}\nwhich dvc").stdout.splitlines()
    assert said[-1] == f"{copy.folder}/.venv/bin/dvc"


def test_every_number_that_a_run_gives_is_explained(project: Project) -> None:
    keys = {
        key
        for name in ("metrics", "latency")
        for key in read_json(project.folder / f"outputs/{name}.json")
    }
    assert keys
    explained = set(re.findall(r"`([\w<>]+)`", OUTPUTS))
    assert {key for key in keys if not spellings(key) & explained} == set()


def spellings(key: str) -> set[str]:
    """A metric's name as the page may write it.

    ``onnx_speedup_batch_32`` is ``<model>_speedup_batch_<n>`` there, ``quantized_r2_drop`` is
    ``quantized_<score>_drop``, and a standard error is ``<metric>_se``.
    """
    if key.endswith("_se"):
        return {"<metric>_se"}
    score = re.fullmatch(r"quantized_(\w+)_drop", key)
    if score and is_scorer(score[1]):
        return {"quantized_<score>_drop"}
    general = re.sub(r"batch_\d+$", "batch_<n>", key)
    of_a_model = re.sub(r"^(original|onnx|quantized)_(?!vs_)", "<model>_", general)
    return {general, of_a_model}


def test_every_key_of_quantization_json_is_explained(project: Project) -> None:
    content = read_json(project.folder / "outputs/quantization.json")
    keys = {*content, *(key for candidate in content["candidates"] for key in candidate)}
    explained = set(re.findall(r"`(\w+)`", OUTPUTS))
    assert keys - explained == set()
    outcomes = {candidate["outcome"] for candidate in content["candidates"]}
    assert outcomes - set(re.findall(r"^\| `([a-z ]+)` \|", OUTPUTS, re.MULTILINE)) == set()


def test_every_file_that_a_run_writes_is_explained(project: Project) -> None:
    written = {path.name for path in (project.folder / "outputs").iterdir()}
    explained = {Path(name).name for name in re.findall(r"`outputs/([\w./]+)`", OUTPUTS)}
    assert {name for name in written if not name.startswith(".")} <= explained


def test_make_ui_serves_the_run_on_loopback(project: Project) -> None:
    port = free_port()
    make = ("make", "--no-print-directory", "-n", "-o", ".venv/installed")
    recipe = project.run(*make, "ui", f"PORT={port}").stdout
    server = project.start("bash", "-c", recipe)
    try:
        address = f"http://127.0.0.1:{port}/"
        answer = answered(f"{address}api/2.0/mlflow/experiments/get-by-name", server)
        assert answer["experiment"]["name"] == "lab3-3-model-optimization"
        page = requests.get(address, timeout=30)
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
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    shown = project.run("make", "help").stdout
    targets = re.findall(r"^([a-z]+):.*##", makefile, re.MULTILINE)
    assert all(f"make {target}" in shown for target in targets)


def test_make_migrate_has_nothing_to_change_here(project: Project) -> None:
    make = ("make", "--no-print-directory", "-o", ".venv/installed")
    said = project.run(*make, "migrate").stdout
    assert "changed:" not in said
    assert project.run("git", "status", "--porcelain", "params.yaml", "dvc.yaml").stdout == ""
