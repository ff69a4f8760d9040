"""Publishing to a real tracking server: failures end soon in one line, are made good by the next publish, leak nothing."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import requests
from mlflow.tracking import MlflowClient

from stages.common.errors import UserError
from stages.common.files import read_json
from tests.publish_fixtures import (
    LATENCY,
    LIBRARY_WARNINGS,
    METRICS,
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

pytestmark = LIBRARY_WARNINGS
SECRET = "hunter2-is-secret"  # noqa: S105 - what must be found nowhere


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an MLflow server of this module: SQLite, proxied artefacts, one worker."""
    folder = tmp_path_factory.mktemp("server")
    address = f"http://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", address.rpartition(":")[2]]
    command += ["--workers", "1", "--backend-store-uri", "sqlite:///server.db", "--artifacts-destination", "./artifacts"]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_for(address, process, folder / "log")
        yield address
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        try:
            requests.get(f"{address}/health", timeout=1).raise_for_status()
        except requests.RequestException:
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"no server after a minute: {log.read_text()}")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_repository(tmp_path_factory.mktemp("template"), numeric_rows())


@pytest.fixture
def repository(template: Path, tmp_path: Path) -> Path:
    """An unpublished repository with an experiment of its own."""
    folder = shutil.copytree(template, tmp_path / "repository")
    set_params(folder, "publish", experiment=tmp_path.name)
    return folder


def assert_whole(folder: Path, server: str, experiment: str) -> None:
    """There is one run, with all its content, one model, and one measurement; the receipt names it."""
    client = MlflowClient(server)
    (run,) = runs_of(server, experiment)
    models = client.search_logged_models([run.info.experiment_id])
    assert (run.info.status, run.data.tags["complete"]) == ("FINISHED", "true")
    assert run.data.metrics == pytest.approx({**METRICS, **LATENCY})
    assert len(run.inputs.dataset_inputs) == 1
    assert len(client.get_metric_history(run.info.run_id, "onnx_latency_ms")) == 1
    assert [(model.status.name, model.source_run_id) for model in models] == [("READY", run.info.run_id)]
    assert [output.model_id for output in run.outputs.model_outputs] == [models[0].model_id]
    assert len(client.list_artifacts(run.info.run_id)) >= 10
    assert read_json(folder / "outputs/mlflow_run.json")["run_id"] == run.info.run_id


def runs_of(server: str, experiment: str) -> list[Any]:
    client = MlflowClient(server)
    found = client.get_experiment_by_name(experiment)
    return list(client.search_runs([found.experiment_id])) if found else []


class Proxy:
    """A TCP proxy before a server that cuts every connection once ``budget`` bytes have gone up."""

    def __init__(self, server: str, budget: int) -> None:
        self.budget = budget
        self.target = ("127.0.0.1", int(server.rpartition(":")[2]))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            upstream = socket.create_connection(self.target)
            threading.Thread(target=self.pump, args=(client, upstream, True), daemon=True).start()
            threading.Thread(target=self.pump, args=(upstream, client, False), daemon=True).start()

    def pump(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        with suppress(OSError), source:
            while data := source.recv(4096):
                self.budget -= len(data) if counted else 0
                if self.budget < 0:
                    break
                sink.sendall(data)
            sink.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxy(server: str, budget: int) -> Iterator[str]:
    made = Proxy(server, budget)
    try:
        yield made.address
    finally:
        made.listener.close()


def test_server_gets_one_whole_run_however_often_it_is_published(
    repository: Path, tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        publish_in_process(repository, monkeypatch, server)
    assert_whole(repository, server, tmp_path.name)


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


def test_credentials_in_the_address_are_written_and_said_nowhere(repository: Path, tmp_path: Path, server: str) -> None:
    done = publish_command(repository, server.replace("//", f"//user:{SECRET}@"))
    assert (done.returncode, done.stderr) == (0, "")
    (run,) = runs_of(server, tmp_path.name)
    MlflowClient(server).download_artifacts(run.info.run_id, "", str(tmp_path))
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not [data for data in (*written, done.stdout.encode(), str(run).encode()) if SECRET.encode() in data]


def test_credentials_in_params_are_not_published(
    repository: Path, tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_params(repository, "publish", tracking_uri=server.replace("//", f"//user:{SECRET}@"))
    publish_in_process(repository, monkeypatch)
    (run,) = runs_of(server, tmp_path.name)
    MlflowClient(server).download_artifacts(run.info.run_id, "", str(tmp_path))
    assert SECRET not in (tmp_path / "params.yaml").read_text() + str(run)


@pytest.mark.parametrize("budget", [2_000, 9_000, 20_000])
def test_connection_cut_on_the_way_is_told_and_made_good_by_the_next_publish(
    repository: Path, tmp_path: Path, server: str, budget: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")  # a test need not wait for a proxy that stays cut
    with proxy(server, budget) as address:
        done = publish_command(repository, address)
    assert (done.returncode, done.stderr.count("\n")) == (4, 1)
    assert f"{address} cut the connection" in done.stderr
    publish_in_process(repository, monkeypatch, server)
    assert_whole(repository, server, tmp_path.name)


def test_publish_killed_anywhere_is_completed_by_the_next_one(
    repository: Path, tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seconds in (2.0, 2.5, 3.0):  # imports take the first second and a half
        kill_after(seconds, start_publish(repository, server))
    publish_in_process(repository, monkeypatch, server)
    assert_whole(repository, server, tmp_path.name)


def test_two_publishers_at_once_end_with_one_run(repository: Path, tmp_path: Path, server: str) -> None:
    children = [start_publish(repository, server) for _ in range(2)]
    assert [exit_code(child) for child in children] == [0, 0]
    assert_whole(repository, server, tmp_path.name)


def told_in_time(folder: Path, uri: str) -> str:
    """What the command says of a server that is not there, which must be one line within 15 seconds."""
    start = time.monotonic()
    done = publish_command(folder, uri)
    assert time.monotonic() - start < 15
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (4, "", 1)
    assert SECRET not in done.stderr
    assert "everything in outputs/ is kept" in done.stderr
    return done.stderr


def test_server_that_is_down_is_told(repository: Path) -> None:
    assert "cannot be reached" in told_in_time(repository, f"http://user:{SECRET}@127.0.0.1:{free_port()}")


def test_host_that_is_unknown_is_told(repository: Path) -> None:
    assert "unknown host name" in told_in_time(repository, f"http://user:{SECRET}@no-such-host.invalid:5000")


def test_server_that_hangs_is_told(repository: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "does not answer in time" in told_in_time(repository, f"http://127.0.0.1:{silent.getsockname()[1]}")


@pytest.mark.parametrize("uri", ["./mlruns", "file:///tmp/mlruns", "sqlite://", "127.0.0.1:5000"])
def test_address_of_no_store_is_refused_with_an_example(repository: Path, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="sqlite:///mlflow.db"):
        publish_in_process(repository, monkeypatch, uri)
