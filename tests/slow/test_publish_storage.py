"""The model repository that a cluster reads: uploaded once, whole or without its marker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from onnxpress.errors import ServerError
from onnxpress.pipeline.files import write_bytes
from onnxpress.tracking.model_storage import check_place
from tests.support.publish_fixtures import (
    EXPERIMENT,
    LIBRARY_WARNINGS,
    copy_lock,
    make_repository,
    numeric_rows,
    package,
    publish_command,
    publish_in_process,
    set_params,
)
from tests.support.published import runs_of
from tests.support.servers import S3, black_hole, s3_server

pytestmark = LIBRARY_WARNINGS


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    with s3_server(tmp_path_factory.mktemp("s3")) as store:
        yield store


def repository_for(folder: Path, storage: str) -> Path:
    """A repository with a packaged model that is to be uploaded to ``storage``."""
    made = make_repository(folder / "repository", numeric_rows())
    set_params(made, "package", name="forest", storage_uri=storage)
    package(made)
    return made


def digest_of(repository: Path) -> str:
    content = json.loads((repository / "outputs/serving/digest.json").read_text())
    return str(content["content_digest"])


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def expected(repository: Path) -> dict[str, bytes]:
    """What the uploaded folder should hold."""
    marker = (repository / "outputs/serving/digest.json").read_bytes()
    return {**files_below(repository / "outputs/serving/repository"), "digest.json": marker}


def test_a_folder_gets_the_repository_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    repository = repository_for(tmp_path, f"{tmp_path}/models")
    publish_in_process(repository, monkeypatch)
    place = tmp_path / "models" / digest_of(repository)
    assert f"the model repository was uploaded to file://{place}" in capsys.readouterr().out
    assert files_below(place) == expected(repository)
    manifest = yaml.safe_load((repository / "outputs/serving/kserve.yaml").read_text())
    assert manifest["spec"]["predictor"]["model"]["storageUri"] == f"file://{place}"
    written = {path: path.stat().st_mtime_ns for path in place.rglob("*")}
    publish_in_process(repository, monkeypatch)
    assert f"the model repository is already at file://{place}" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*")} == written


def test_an_interrupted_upload_is_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    repository = repository_for(tmp_path, f"{tmp_path}/models")
    place = tmp_path / "models" / digest_of(repository)
    write_bytes(place / "forest/1/model.onnx", b"half of a mo")
    publish_in_process(repository, monkeypatch)
    assert files_below(place) == expected(repository)
    assert "was uploaded" in capsys.readouterr().out


def test_the_run_has_all_that_was_packaged_as_artefacts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.tracking import MlflowClient

    repository = repository_for(tmp_path, f"{tmp_path}/models")
    publish_in_process(repository, monkeypatch)
    uri = f"sqlite:///{repository}/mlflow.db"
    (run,) = runs_of(uri, EXPERIMENT)
    local = MlflowClient(uri).download_artifacts(run.info.run_id, "serving", str(tmp_path))
    assert files_below(Path(local)) == files_below(repository / "outputs/serving")


def test_a_changed_repository_is_refused_before_anything_is_uploaded(
    tmp_path: Path,
) -> None:
    repository = repository_for(tmp_path, f"{tmp_path}/models")
    write_bytes(repository / "outputs/serving/repository/forest/1/model.onnx", b"exchanged")
    done = publish_command(repository)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "does not have the digest in outputs/serving/digest.json" in done.stderr
    assert not (tmp_path / "models").exists()


def test_s3_gets_the_repository_once(tmp_path: Path, s3: S3) -> None:
    repository = repository_for(tmp_path, f"s3://{s3.bucket}/models")
    first = publish_command(repository, **s3.variables())
    assert (first.returncode, first.stderr) == (0, "")
    digest = digest_of(repository)
    stored: dict[str, Any] = {
        key.removeprefix(f"models/{digest}/"): s3.client().get_object(Bucket=s3.bucket, Key=key)
        for key in s3.stored()
    }
    assert {key: value["Body"].read() for key, value in stored.items()} == expected(repository)
    again = publish_command(repository, **s3.variables())
    assert f"the model repository is already at s3://{s3.bucket}/models/{digest}" in again.stdout
    assert s3.secret_key not in first.stdout + again.stdout


@pytest.mark.parametrize(
    ("bucket", "variables", "reason"),
    [
        ("artefacts", "without_credentials", "needs S3 credentials, and this machine has none"),
        ("nowhere", "variables", "names a bucket that does not exist; create it or name another"),
    ],
)
def test_an_upload_that_fails_is_one_line_and_no_run(
    tmp_path: Path, s3: S3, bucket: str, variables: str, reason: str
) -> None:
    repository = repository_for(tmp_path, f"s3://{bucket}/models")
    chosen = s3.variables() if variables == "variables" else s3.without_credentials
    done = publish_command(repository, **chosen)
    assert (done.returncode, done.stderr.count("\n")) == (4, 1)
    assert f"s3://{bucket}/models {reason}" in done.stderr
    assert runs_of(f"sqlite:///{repository}/mlflow.db", EXPERIMENT) == []


def test_the_doctor_writes_to_the_place_and_leaves_nothing(tmp_path: Path, s3: S3) -> None:
    before = s3.stored()
    repository = repository_for(tmp_path, f"s3://{s3.bucket}/new")
    copy_lock(repository)
    done = publish_command(repository, module="doctor", **s3.variables())
    assert (done.returncode, done.stderr) == (0, "")
    assert f"ok    model storage    s3://{s3.bucket}/new can be written to\n" in done.stdout
    assert s3.stored() == before


def test_the_doctor_says_why_the_place_cannot_be_written_to(tmp_path: Path, s3: S3) -> None:
    repository = repository_for(tmp_path, "s3://nowhere/models")
    done = publish_command(repository, module="doctor", **s3.variables())
    line = "FAIL  model storage    package.storage_uri: s3://nowhere/models names a bucket that"
    assert (done.returncode, line in done.stdout) == (4, True)
    write_bytes(tmp_path / "file", b"in the way")
    set_params(repository, "package", storage_uri=f"{tmp_path}/file/models")
    done = publish_command(repository, module="doctor")
    line = f"FAIL  model storage    package.storage_uri: file://{tmp_path}/file/models "
    assert (done.returncode, line in done.stdout) == (4, True)
    assert (tmp_path / "file").read_bytes() == b"in the way"


def test_a_place_that_does_not_answer_is_given_up(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3.variables().items():
        monkeypatch.setenv(name, value)
    with black_hole() as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        with pytest.raises(ServerError, match=r"s3://b/models does not answer in time"):
            check_place("s3://b/models")
