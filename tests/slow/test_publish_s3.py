"""Artefacts in S3, through the server or directly: whose credentials, what the check leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient

from tests.support.publish_fixtures import (
    copy_lock,
    make_repository,
    numeric_rows,
    publish_command,
    set_params,
)
from tests.support.published import runs_of
from tests.support.servers import EVERYTHING, S3, black_hole, mlflow_server, s3_server


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, S3, Path]]:
    """An MLflow server that keeps artefacts in an S3 store, that store, and the folder of logs."""
    folder = tmp_path_factory.mktemp("servers")
    with s3_server(folder) as s3:
        options = ("--artifacts-destination", f"s3://{s3.bucket}/proxied")
        with mlflow_server(folder, *options, **s3.variables()) as server:
            MlflowClient(server).create_experiment("direct", f"s3://{s3.bucket}/direct")
            yield server, s3, folder


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = make_repository(tmp_path / "repository", numeric_rows())
    copy_lock(folder)
    return folder


def the_run(server: str, experiment: str) -> Any:
    (run,) = runs_of(server, experiment)
    return run


def test_artifacts_go_through_the_server_and_credentials_nowhere(
    repository: Path, tmp_path: Path, stores: tuple[str, S3, Path]
) -> None:
    server, s3, folder = stores
    set_params(repository, "publish", experiment="proxied")
    done = publish_command(repository, server)
    assert (done.returncode, done.stderr) == (0, "")
    run = the_run(server, "proxied")
    kept = [key for key in s3.stored() if key.startswith("proxied/")]
    assert {f"{run.info.run_id}/artifacts/model_quantized.onnx"} <= {
        "/".join(key.split("/")[2:]) for key in kept
    }
    assert [key for key in kept if key.endswith("/MLmodel")]
    assert not [key for key in kept if "write-test" in key]
    texts = [s3.client().get_object(Bucket=s3.bucket, Key=key)["Body"].read() for key in kept]
    texts += [
        path.read_bytes()
        for place in (tmp_path, folder)
        for path in place.rglob("*")
        if path.is_file()
    ]
    assert not [
        text
        for text in (*texts, done.stdout.encode(), str(run).encode())
        if s3.secret_key.encode() in text
    ]


def test_artifacts_go_from_here_to_s3_as_whom_the_doctor_names(
    repository: Path, tmp_path: Path, stores: tuple[str, S3, Path]
) -> None:
    server, s3, _ = stores
    set_params(repository, "publish", experiment="direct")
    before = s3.stored()
    doctor = publish_command(repository, server, "doctor", **s3.variables())
    assert (doctor.returncode, doctor.stderr) == (0, "")
    assert "arn:aws:iam::123456789012:user/publisher (env)" in doctor.stdout
    assert s3.stored() == before
    done = publish_command(repository, server, **s3.variables())
    assert (done.returncode, done.stderr) == (0, "")
    run = the_run(server, "direct")
    assert f"direct/{run.info.run_id}/artifacts/model_quantized.onnx" in s3.stored()
    assert not [key for key in s3.stored() if "write-test" in key]
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    said = (doctor.stdout + done.stdout + str(run)).encode()
    assert not [
        text
        for text in (*written, said)
        if s3.secret_key.encode() in text or s3.access_key.encode() in text
    ]


def test_s3_that_does_not_answer_is_reported_in_time(
    repository: Path, stores: tuple[str, S3, Path]
) -> None:
    server, s3, _ = stores
    set_params(repository, "publish", experiment="direct")
    with black_hole() as address:
        done = publish_command(
            repository, server, **{**s3.variables(), "AWS_ENDPOINT_URL": address}
        )
    assert (done.returncode, done.stderr.count("\n")) == (4, 1)
    assert (
        f"the artefact store s3://{s3.bucket}/direct of {server} does not answer in time"
        in done.stderr
    )


def test_server_with_a_wrong_secret_is_reported_before_a_run_is_made(
    repository: Path, tmp_path: Path, stores: tuple[str, S3, Path]
) -> None:
    _, s3, _ = stores
    set_params(repository, "publish", experiment="wrong")
    options = ("--artifacts-destination", f"s3://{s3.bucket}/wrong")
    (tmp_path / "server").mkdir()
    with mlflow_server(tmp_path / "server", *options, **s3.variables("another-secret")) as server:
        done = publish_command(repository, server)
        assert runs_of(server, "wrong") == []
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (4, "", 1)
    assert (
        f"of {server} failed (server error); its log says why, often S3 credentials or bucket"
        in done.stderr
    )
    assert "another-secret" not in done.stderr
    assert not [key for key in s3.stored() if key.startswith("wrong/")]


@contextmanager
def without_bucket(s3: S3) -> Iterator[None]:
    """The bucket is gone, with all that was in it."""
    client = s3.client()
    for key in s3.stored():
        client.delete_object(Bucket=s3.bucket, Key=key)
    client.delete_bucket(Bucket=s3.bucket)
    yield
    client.create_bucket(Bucket=s3.bucket)


@contextmanager
def without_rights(s3: S3) -> Iterator[None]:
    """Whom the server is to S3 may not use it."""
    s3.permit("sts:*")
    yield
    s3.permit(*EVERYTHING)


@pytest.mark.parametrize("trouble", [without_bucket, without_rights])
def test_trouble_between_the_server_and_its_s3_is_reported_before_a_run_is_made(
    repository: Path,
    tmp_path: Path,
    stores: tuple[str, S3, Path],
    trouble: Callable[[S3], AbstractContextManager[None]],
) -> None:
    server, s3, _ = stores
    set_params(repository, "publish", experiment=tmp_path.name)
    with trouble(s3):
        done = publish_command(repository, server)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (4, "", 1)
    assert "the artefact store mlflow-artifacts:/" in done.stderr
    assert (
        f"of {server} failed (server error); its log says why, often S3 credentials or bucket"
        in done.stderr
    )
    assert runs_of(server, tmp_path.name) == []
    assert publish_command(repository, server).returncode == 0
    assert [run.data.tags["complete"] for run in runs_of(server, tmp_path.name)] == ["true"]
