"""Publishing to a real server behind a proxy that fails requests.

The next publish completes the same run, and nothing is doubled.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from onnxpress.errors import ServerError
from onnxpress.pipeline.files import read_json
from tests.support.http_proxy import Faults, http_proxy
from tests.support.publish_fixtures import (
    LIBRARY_WARNINGS,
    make_repository,
    numeric_rows,
    publish_command,
    publish_in_process,
    set_params,
)
from tests.support.published import assert_whole, runs_of
from tests.support.servers import mlflow_server

pytestmark = LIBRARY_WARNINGS
REFUSED, LOST = False, True
"""Whether the server had done what was asked of it before it answered 500."""
STEPS: tuple[tuple[str, int, bool, list[str]], ...] = (
    ("GET health", 1, REFUSED, []),
    ("GET experiments/get-by-name", 1, REFUSED, []),
    ("PUT file of the check", 1, REFUSED, []),
    ("POST runs/search", 1, REFUSED, []),
    ("POST runs/create", 1, REFUSED, []),
    ("POST runs/create", 1, LOST, ["RUNNING"]),  # nobody knows its id
    ("POST runs/log-batch", 1, REFUSED, ["FAILED"]),
    ("POST runs/log-inputs", 1, REFUSED, ["FAILED"]),
    ("PUT file of the run", 5, REFUSED, ["FAILED"]),
    ("POST logged-models", 1, REFUSED, ["FAILED"]),
    ("POST logged-models", 1, LOST, ["FAILED"]),
    ("PUT file of the model", 4, REFUSED, ["FAILED"]),
    ("PATCH logged-models/<id>", 1, REFUSED, ["FAILED"]),
    ("PATCH logged-models/<id>", 1, LOST, ["FAILED"]),
    ("POST runs/outputs", 1, LOST, ["FAILED"]),
    ("POST runs/set-tag latency", 1, REFUSED, ["FAILED"]),
    ("POST runs/log-batch", 2, LOST, ["FAILED"]),
    ("POST runs/update FINISHED", 1, REFUSED, ["FAILED"]),
    ("POST runs/set-tag complete", 1, REFUSED, ["FAILED"]),
    ("POST runs/set-tag complete", 1, LOST, ["FAILED"]),
    ("POST registered-models/create", 1, REFUSED, ["FINISHED"]),
    ("POST model-versions/create", 1, LOST, ["FINISHED"]),
    ("POST registered-models/alias", 1, REFUSED, ["FINISHED"]),
)
"""The requests of a publish in order, as they fail.

Which request, the how manieth of its kind (of the uploads one half-way), how it fails, and the
status of the runs then.
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with mlflow_server(tmp_path_factory.mktemp("server")) as address:
        yield address


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_repository(tmp_path_factory.mktemp("template"), numeric_rows())


@pytest.fixture
def repository(template: Path, tmp_path: Path) -> Path:
    """An unpublished repository with an experiment and a registered model of its own."""
    folder = shutil.copytree(template, tmp_path / "repository")
    set_params(folder, "publish", experiment=tmp_path.name, register=tmp_path.name)
    return folder


def test_server_error_half_way_is_one_line_and_the_next_publish_completes_the_run(
    repository: Path, tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with http_proxy(server, Faults("PUT file of the run", 5)) as address:
        done = publish_command(repository, address)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (4, "", 1)
        assert f"{address} failed (server error); its log says why" in done.stderr
        (failed,) = runs_of(server, tmp_path.name)
        publish_in_process(repository, monkeypatch, address)
    assert failed.info.status == "FAILED"
    assert assert_whole(server, tmp_path.name).info.run_id == failed.info.run_id


def test_transient_failure_is_retried(
    repository: Path, tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = Faults("PUT file of the model", 4, status=503)
    with http_proxy(server, faults) as address:
        publish_in_process(repository, monkeypatch, address)
    assert faults.failed == 1
    assert_whole(server, tmp_path.name)


def test_failure_at_each_step_in_turn_leaves_one_run_which_the_last_publish_completes(
    repository: Path, tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = set()
    for kind, number, lost_answer, statuses in STEPS:
        faults = Faults(kind, number, lost_answer=lost_answer)
        with (
            http_proxy(server, faults) as address,
            pytest.raises(ServerError, match=r"^[^\n]* failed \(server error\)[^\n]*$"),
        ):
            publish_in_process(repository, monkeypatch, address)
        runs = runs_of(server, tmp_path.name)
        assert (faults.failed, [run.info.status for run in runs]) == (1, statuses), kind
        ids |= {run.info.run_id for run in runs}
    publish_in_process(repository, monkeypatch, server)
    assert ids == {assert_whole(server, tmp_path.name).info.run_id}
    (version,) = MlflowClient(server).search_model_versions(f"name = '{tmp_path.name}'")
    assert version.run_id == read_json(repository / "outputs/mlflow_run.json")["run_id"]
