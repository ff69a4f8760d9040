"""Sweeps whose points run ahead on a real cluster, in a small repository of three stages.

The remote is in S3, whose credentials the workers have of themselves.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.soak.cluster import kill_a_worker
from onnxpress.commands.sweep import queue, runner
from onnxpress.commands.sweep.points import Point, Sweep
from onnxpress.engine.starting import local_cluster
from onnxpress.errors import UserError
from tests.conftest import ROOT, changed, default_params, write_params
from tests.support.servers import S3, s3_server

WAIT_SECONDS = 100


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """An S3 store that this process and what it starts can use."""
    with s3_server(tmp_path_factory.mktemp("storage")) as s3, pytest.MonkeyPatch.context() as patch:
        for name, value in s3.variables().items():
            patch.setenv(name, value)
        yield s3


@pytest.fixture(scope="module")
def local(storage: S3) -> Iterator[Any]:
    """A ``distributed.LocalCluster`` that can use it, too."""
    assert storage
    with local_cluster(2) as cluster:
        yield cluster


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, storage: S3) -> Iterator[Path]:
    """A repository whose stages note where they run, with data that DVC tracks and a remote."""
    folder = tmp_path / "repository"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site-cache"))
    for role in ("AUTHOR", "COMMITTER"):
        for key, value in {"NAME": "A", "EMAIL": "a@example.org"}.items():
            monkeypatch.setenv(f"GIT_{role}_{key}", value)
    run("git", "init", "-q", "-b", "main")
    run("dvc", "init", "-q")
    run("dvc", "remote", "add", "-q", "-d", "store", f"s3://{storage.bucket}/{tmp_path.name}")
    Path("data").mkdir()
    Path("data/rows.csv").write_text("a\n1\n")
    run("dvc", "add", "-q", "data/rows.csv")
    write_stages(tmp_path)
    write_params(folder, default_params())
    run("git", "add", "-A")
    run("git", "commit", "-q", "-m", "start")
    yield folder
    if worker := queue.worker():
        queue.stop_worker(worker)


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def write_stages(folder: Path, waits: str = "true") -> None:
    """Three stages that note in ``folder`` where they run; the first one waits."""
    seed = "$(sed -n 's/^seed: //p' params.yaml)"
    note = f'echo "$DVC_STAGE {seed} $PWD" >> {folder / "notes"}'
    convert = f"{note} && {waits} && grep -h '' data/rows.csv > model && "
    convert += "grep -E '^seed:|estimator:' params.yaml >> model"
    evaluate = f"{note} && [ $(grep -c broken model) = 0 ] && echo 'size: 2' > metrics.yaml"
    benchmark = f"{note} && echo 'time: 1' > latency.yaml"
    metrics = {"metrics.yaml": {"cache": False}}
    stages = {
        "convert": {
            "cmd": convert,
            "deps": ["data"],
            "params": ["seed", "train.estimator"],
            "outs": ["model"],
        },
        "evaluate": {
            "cmd": evaluate,
            "deps": ["model"],
            "params": ["quantize.method"],
            "metrics": [metrics],
        },
        "benchmark": {"cmd": benchmark, "deps": ["metrics.yaml"], "metrics": ["latency.yaml"]},
    }
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))


def point(name: str, **params: Any) -> Point:
    return Point(f"few-{name}", {"point": name}, changed(default_params(), **params))


MODEL, MEASURED = point("a", seed=1), point("b", seed=2, quantize__objective="latency")
BROKEN = point("bad", seed=3, train__estimator="broken")


def notes(folder: Path) -> list[list[str]]:
    """Stage, seed and folder of each run of a stage."""
    path = folder / "notes"
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def trees() -> dict[str, str]:
    """The files of each experiment, as git's digest."""
    names = run("git", "for-each-ref", "--format=%(refname)", "refs/exps/*/*/few-*").split()
    return {name: run("git", "rev-parse", f"{name}^{{tree}}") for name in names}


@pytest.mark.usefixtures("repository")
def test_experiments_are_those_of_one_machine_byte_for_byte(
    local: Any,
    storage: S3,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sweep = Sweep("few", (MODEL, BROKEN))
    shutil.copytree(".", "../copy")
    here, expected = runner.run(sweep, "parent"), trees()
    assert len(expected) == 1
    (tmp_path / "notes").unlink()
    monkeypatch.chdir(tmp_path / "copy")
    run("git", "status")  # the index has the times of the other files
    there = runner.run(sweep, "parent", local.scheduler_address)
    assert (there, trees()) == (here, expected)
    assert run("git", "status", "--porcelain") == ""
    assert "of 2 came from the cluster: point=bad; evaluate: ended" in capsys.readouterr().out
    places = {(stage, "copy" in place) for stage, seed, place in notes(tmp_path) if seed == "1"}
    assert places == {("convert", False), ("evaluate", False), ("benchmark", True)}
    assert not [name for name in storage.stored() if "onnxpress-sweep" in name]


def waiting(folder: Path) -> str:
    """A command that ends when there is a file ``go``."""
    return f"while [ ! -e {folder / 'go'} ]; do sleep 0.1; done"


def test_an_edit_while_the_workers_run_is_a_line(
    local: Any, repository: Path, tmp_path: Path
) -> None:
    """The name of an experiment says of which code it is; here a stage on the worker edits it."""
    write_stages(tmp_path, f"echo '# edited' >> {repository / 'dvc.yaml'}")
    with pytest.raises(UserError, match="changed while the points were on the workers"):
        runner.run(Sweep("few", (MODEL,)), "parent", local.scheduler_address)
    assert not trees()


@pytest.mark.usefixtures("repository")
def test_killed_workers_lose_nothing(local: Any, tmp_path: Path) -> None:
    write_stages(tmp_path, waiting(tmp_path))
    sweep = begin(local)
    wait_until(lambda: len(notes(tmp_path)) == 2, sweep)
    for which in (0, 1):
        kill_a_worker(local, which)
    (tmp_path / "go").touch()
    assert sweep.wait(WAIT_SECONDS) == 0
    assert cached() == {"1", "2"}


@pytest.mark.usefixtures("repository")
def test_a_killed_sweep_goes_on_with_what_is_left(local: Any, tmp_path: Path) -> None:
    write_stages(tmp_path, f"if grep -q 'seed: 2' params.yaml; then {waiting(tmp_path)}; fi")
    sweep = begin(local)
    wait_until(lambda: cached() == {"1"}, sweep)
    sweep.kill()
    sweep.wait()
    (tmp_path / "go").touch()
    assert begin(local).wait(WAIT_SECONDS) == 0
    assert cached() == {"1", "2"}
    assert [stage for stage, seed, _ in notes(tmp_path) if seed == "1"] == ["convert", "evaluate"]
    assert {stage for stage, seed, _ in notes(tmp_path) if seed == "2"} == {"convert"}


def begin(cluster: Any) -> subprocess.Popen[bytes]:
    """Run two points ahead, in a process of their own."""
    program = (
        "from onnxpress.commands.sweep.ahead import run_ahead\n"
        "from tests.slow.test_sweep_cluster import MODEL, MEASURED\n"
        f"run_ahead([MODEL, MEASURED], {cluster.scheduler_address!r})"
    )
    command = [sys.executable, "-c", program]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)})


def cached() -> set[str]:
    """Seeds whose model is in this repository's cache."""
    files = [path.read_text() for path in Path(".dvc/cache/files").rglob("*") if path.is_file()]
    return {str(seed) for seed in (1, 2, 3) if any(f"seed: {seed}\n" in text for text in files)}


def wait_until(condition: Callable[[], bool], sweep: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert sweep.poll() is None
        assert time.monotonic() < until
        time.sleep(0.1)
