"""Publishing to a real tracking server: failures end soon in one line and leak nothing.

The next publish completes what a failed one left.
"""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow.tracking import MlflowClient

from onnxpress.pipeline.files import read_json
from tests.support.publish_fixtures import (
    LIBRARY_WARNINGS,
    exit_code,
    fit,
    kill_after,
    make_repository,
    numeric_rows,
    publish_command,
    publish_in_process,
    set_params,
    start_publish,
)
from tests.support.published import assert_whole, runs_of
from tests.support.servers import mlflow_server, proxy

pytestmark = LIBRARY_WARNINGS
SECRET = "hunter2-is-secret"  # noqa: S105 - what must be found nowhere


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an MLflow server of this module."""
    with mlflow_server(tmp_path_factory.mktemp("server")) as address:
        yield address


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_repository(tmp_path_factory.mktemp("template"), numeric_rows())


@pytest.fixture
def repository(template: Path, tmp_path: Path) -> Path:
    """An unpublished repository with an experiment of its own."""
    folder = shutil.copytree(template, tmp_path / "repository")
    set_params(folder, "publish", experiment=tmp_path.name)
    return folder


def assert_published(folder: Path, server: str, experiment: str) -> None:
    """The experiment has one run, which is whole; the receipt names it."""
    assert (
        read_json(folder / "outputs/mlflow_run.json")["run_id"]
        == assert_whole(server, experiment).info.run_id
    )


def test_server_gets_one_whole_run_however_often_it_is_published(
    repository: Path, tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        publish_in_process(repository, monkeypatch, server)
    assert_published(repository, server, tmp_path.name)


def test_model_is_loaded_from_the_server_and_answers_raw_rows(
    repository: Path, tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_in_process(repository, monkeypatch, server)
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    mlflow.set_tracking_uri(server)
    (run,) = runs_of(server, tmp_path.name)
    rows = numeric_rows().to_numpy()
    answer = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model").predict(rows)
    assert np.array_equal(answer["label"], fit(numeric_rows())[0].predict(rows))


def test_credentials_in_the_address_are_written_and_said_nowhere(
    repository: Path, tmp_path: Path, server: str
) -> None:
    done = publish_command(repository, server.replace("//", f"//user:{SECRET}@"))
    assert (done.returncode, done.stderr) == (0, "")
    (run,) = runs_of(server, tmp_path.name)
    MlflowClient(server).download_artifacts(run.info.run_id, "", str(tmp_path))
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not [
        data
        for data in (*written, done.stdout.encode(), str(run).encode())
        if SECRET.encode() in data
    ]


@pytest.mark.parametrize("budget", [9_000, 20_000])
def test_connection_cut_on_the_way_is_reported_and_the_next_publish_completes_the_run(
    repository: Path, tmp_path: Path, server: str, budget: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxy(server, budget) as cutting:
        message = message_in_time(repository, cutting.address)
        assert f"{cutting.address} cut the connection" in message
    publish_in_process(repository, monkeypatch, server)
    assert_published(repository, server, tmp_path.name)


def test_publish_killed_anywhere_is_completed_by_the_next_one(
    repository: Path, tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seconds in (2.0, 2.5, 3.0):  # imports take the first second and a half
        kill_after(seconds, start_publish(repository, server))
    publish_in_process(repository, monkeypatch, server)
    assert_published(repository, server, tmp_path.name)


def test_two_publishers_at_once_end_with_one_run(
    repository: Path, tmp_path: Path, server: str
) -> None:
    children = [start_publish(repository, server) for _ in range(2)]
    assert [exit_code(child) for child in children] == [0, 0]
    assert_published(repository, server, tmp_path.name)


def message_in_time(folder: Path, uri: str) -> str:
    """Return the one line about a missing server, within 15 seconds on a quiet machine.

    MLflow by itself tries for minutes.
    """
    start = time.monotonic()
    done = publish_command(folder, uri)
    assert time.monotonic() - start < 90
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (4, "", 1)
    assert SECRET not in done.stderr
    assert "everything in outputs/ is kept" in done.stderr
    return done.stderr


def test_server_that_hangs_is_reported(repository: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "does not answer in time" in message_in_time(
            repository, f"http://127.0.0.1:{silent.getsockname()[1]}"
        )


def test_server_that_hangs_half_way_is_reported_and_the_next_publish_completes_the_run(
    repository: Path, tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxy(server, 9_000, silent=True) as hanging:
        assert "does not answer in time" in message_in_time(repository, hanging.address)
    assert [run.data.tags.get("complete") for run in runs_of(server, tmp_path.name)] == [None]
    publish_in_process(repository, monkeypatch, server)
    assert_published(repository, server, tmp_path.name)


def test_slow_network_is_waited_for(repository: Path, tmp_path: Path, server: str) -> None:
    with proxy(server, delay_seconds=0.03) as slow:
        assert publish_command(repository, slow.address).returncode == 0
    assert_published(repository, server, tmp_path.name)


def test_connection_cut_once_is_retried(repository: Path, tmp_path: Path, server: str) -> None:
    with proxy(server, 9_000, cuts=1) as cutting:
        done = publish_command(repository, cutting.address)
    assert (done.returncode, done.stderr) == (0, "")
    assert_published(repository, server, tmp_path.name)
