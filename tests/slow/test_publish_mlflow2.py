"""Publishing to a real MLflow 2 server, which knows no logged models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow.tracking import MlflowClient

from tests.support.publish_fixtures import (
    LATENCY,
    LIBRARY_WARNINGS,
    METRICS,
    SWEEP,
    copy_lock,
    fit,
    make_repository,
    mixed_rows,
    numeric_rows,
    publish_command,
    publish_in_process,
    set_params,
    tell_registry_story,
)
from tests.support.servers import mlflow2_server

pytestmark = LIBRARY_WARNINGS


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with mlflow2_server(tmp_path_factory.mktemp("server")) as address:
        yield address


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    folder = make_repository(tmp_path / "repository", numeric_rows())
    set_params(folder, "publish", experiment=tmp_path.name)
    return folder


def test_command_publishes_once_in_two_quiet_lines(
    repository: Path, tmp_path: Path, server: str
) -> None:
    for _ in range(2):
        done = publish_command(repository, server)
        assert (done.returncode, done.stderr, len(done.stdout.splitlines())) == (0, "", 2)
    client = MlflowClient(server)
    experiment = client.get_experiment_by_name(tmp_path.name)
    assert experiment
    (run,) = client.search_runs([experiment.experiment_id])
    assert (run.info.status, run.data.tags["complete"]) == ("FINISHED", "true")
    assert run.data.metrics == pytest.approx({**METRICS, **LATENCY, **SWEEP})
    assert {"model", "model_quantized.onnx", "latency_by_batch.png"} <= {
        file.path for file in client.list_artifacts(run.info.run_id)
    }


def test_model_answers_raw_rows_of_numbers_and_categories(
    tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    rows = mixed_rows()
    folder = make_repository(tmp_path / "repository", rows)
    set_params(folder, "publish", experiment=tmp_path.name)
    publish_in_process(folder, monkeypatch, server)
    mlflow.set_tracking_uri(server)
    (run,) = mlflow.search_runs(experiment_names=[tmp_path.name], output_format="list")
    answer = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model").predict(rows)
    assert np.array_equal(answer["label"], fit(rows)[0].predict(rows))


def test_content_is_registered_once_and_promoted_when_it_is_better(
    repository: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell_registry_story(repository, monkeypatch, server)


def test_doctor_knows_the_version_and_leaves_no_trace(repository: Path, server: str) -> None:
    copy_lock(repository)
    before = {experiment.name for experiment in MlflowClient(server).search_experiments()}
    done = publish_command(repository, server, "doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{server}, MLflow 2.22" in done.stdout
    assert {experiment.name for experiment in MlflowClient(server).search_experiments()} == before
