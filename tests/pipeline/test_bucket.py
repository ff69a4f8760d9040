"""data.source in S3: the rows of objects, and one line for everything that goes wrong."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any

import numpy as np
import pandas as pd
import pytest

from onnxpress.commands.drift import drifting
from onnxpress.drift.profiling import drift_profile
from onnxpress.errors import ServerError, UserError
from onnxpress.pipeline.bucket import Bucket, client_of_s3
from onnxpress.pipeline.files import write_bytes, write_json
from onnxpress.serving.packaging import profile_file
from stages import prepare
from tests.conftest import default_params, write_params
from tests.support.drift_models import model
from tests.support.servers import S3, s3_server

FRAME = pd.DataFrame({"a": np.arange(900.0), "c": ["u", "v", "w"] * 300, "y": ["no", "yes"] * 450})
PARTS = "train", "calibration", "test"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """A store with a folder of three files, two that are no tables, and a folder beside it."""
    with s3_server(tmp_path_factory.mktemp("store")) as s3:
        for number in range(3):
            put(s3, f"rows/year={2023 + number}/part.parquet", FRAME[number::3].to_parquet())
        put(s3, "rows/_SUCCESS", b"")
        put(s3, "rows/year=2023/", b"")
        put(s3, "rows-of-others/x.parquet", b"no table")
        put(s3, "single.csv", FRAME.to_csv(index=False).encode())
        yield s3


@pytest.fixture(autouse=True)
def user(store: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose credentials the environment has."""
    for name, value in store.variables().items():
        monkeypatch.setenv(name, value)


def put(s3: S3, key: str, body: bytes) -> None:
    s3.client().put_object(Bucket=s3.bucket, Key=key, Body=body)


def prepared(folder: Path, source: str, **more: Any) -> dict[str, bytes]:
    """What prepare writes for a source."""
    write_params(folder, default_params(data__source=source, data__target="y", **more))
    prepare.main()
    assert not list((folder / "outputs").glob(".unfinished*"))
    return {part: (folder / f"outputs/{part}.parquet").read_bytes() for part in PARTS}


@pytest.mark.parametrize("pattern", ["rows", "rows/", "rows/year=*/*.parquet", "rows/year=2024"])
def test_objects_are_what_the_same_files_are(pattern: str, workspace: Path, store: S3) -> None:
    for key in store.stored():
        if not key.endswith("/"):
            path = workspace / "data" / key
            path.parent.mkdir(parents=True, exist_ok=True)
            body = store.client().get_object(Bucket=store.bucket, Key=key)["Body"]
            path.write_bytes(body.read())
    here = prepared(workspace, f"data/{pattern}")
    assert prepared(workspace, f"s3://{store.bucket}/{pattern}") == here


def test_an_object_is_a_file(workspace: Path, store: S3) -> None:
    FRAME.to_csv(workspace / "data/single.csv", index=False)
    here = prepared(workspace, "data/single.csv")
    assert prepared(workspace, f"s3://{store.bucket}/single.csv") == here


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("s3://nobody/rows", "s3://nobody/rows: there is no such bucket"),
        ("s3://artefacts/nothing", "s3://artefacts/nothing names no object"),
        ("s3://artefacts/rows-of-others", r"s3://artefacts/rows-of-others/x\.parquet should be"),
        ("s3://artefacts/*.txt", r"'s3://artefacts/\*\.txt', which has no \.parquet file"),
        ("s3://Upper/rows", "should be s3://bucket/folder"),
        ("s3://me:secret-word@artefacts/rows", "should hold no secret"),
    ],
)
def test_a_wrong_address_ends_with_a_line(source: str, line: str, workspace: Path) -> None:
    with pytest.raises(UserError, match=line) as error:
        prepared(workspace, source)
    assert "secret-word" not in str(error.value)
    assert "unfinished" not in str(error.value)
    assert "\n" not in str(error.value)


def test_who_may_not_read_gets_a_line_without_the_secret(
    workspace: Path, store: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in store.variables("another-secret-key").items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ServerError, match="S3 refuses .SignatureDoesNotMatch.") as error:
        prepared(workspace, f"s3://{store.bucket}/rows")
    assert "another-secret-key" not in str(error.value)


def test_an_object_that_changes_after_it_was_listed_is_refused(tmp_path: Path, store: S3) -> None:
    put(store, "moving/a.parquet", b"one")
    bucket = Bucket(f"s3://{store.bucket}/moving")
    put(store, "moving/a.parquet", b"another")
    with pytest.raises(ServerError, match=r"moving/a\.parquet: the object changed"):
        bucket.copy(tmp_path / "one")
    store.client().delete_object(Bucket=store.bucket, Key="moving/a.parquet")
    with pytest.raises(ServerError, match=r"moving/a\.parquet: the object changed or was removed"):
        bucket.copy(tmp_path / "two")


def test_a_disk_that_cannot_be_written_to_is_one_line(tmp_path: Path, store: S3) -> None:
    bucket = Bucket(f"s3://{store.bucket}/single.csv")
    with pytest.raises(UserError, match=r"cannot copy s3://artefacts/single\.csv to the disk"):
        bucket.fetch(bucket.objects[0], tmp_path / "removed" / "single.csv")


class Cut(StreamRequestHandler):
    """Passes a request on to the store, and ends the connection in the middle of the answer."""

    def handle(self) -> None:
        host, port = self.server.store.removeprefix("http://").split(":")  # type: ignore[attr-defined] # set below
        with socket.create_connection((host, int(port))) as store:
            store.sendall(self.request.recv(2**16))
            self.request.sendall(store.recv(2**16)[:2000])
            self.request.shutdown(socket.SHUT_RDWR)


def test_a_connection_that_breaks_in_the_middle_leaves_what_was_there(
    workspace: Path, store: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, "long/a.parquet", FRAME.to_parquet() + bytes(2**17))
    bucket = Bucket(f"s3://{store.bucket}/long")
    with ThreadingTCPServer(("127.0.0.1", 0), Cut) as server:
        server.store = store.url  # type: ignore[attr-defined] # for the handler
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_address[1]}")
        bucket.client = client_of_s3()
        with pytest.raises(ServerError, match=r"long/a\.parquet: S3 does not answer"):
            bucket.copy(workspace / "copy")
        server.shutdown()


def test_drift_takes_an_address(
    workspace: Path, store: S3, capsys: pytest.CaptureFixture[str]
) -> None:
    made = model("numbers/LogisticRegression")
    profile = drift_profile(made.onnx, made.schema, made.rows.feeds, made.rows.feeds)
    write_bytes(workspace / "outputs/model_quantized.onnx", made.onnx)
    write_json(workspace / "outputs/schema.json", made.schema.to_json())
    write_bytes(workspace / "outputs/serving/drift_profile.json", profile_file(profile))
    write_params(workspace, default_params())
    put(store, "new/year=2024/a.parquet", made.frame.to_parquet())
    drifting.main(drifting.Question(f"s3://{store.bucket}/new"), in_json=True)
    found = json.loads(capsys.readouterr().out)
    assert (found["file"], found["drifted"]) == (f"s3://{store.bucket}/new", [])
    assert {entry["psi"] for entry in found["entries"]} == {0.0}


def test_an_object_beside_a_folder_of_its_name(tmp_path: Path, store: S3) -> None:
    for key in ("both/a", "both/a/b.parquet"):
        put(store, key, key.encode())
    with pytest.raises(UserError, match="has an object below another, 'both/a/?"):
        Bucket(f"s3://{store.bucket}/both").copy(tmp_path / "folder")
    path = Bucket(f"s3://{store.bucket}/both/a").copy(tmp_path / "object")
    assert Path(path).read_bytes() == b"both/a"


def test_a_key_that_leaves_the_folder_is_refused(tmp_path: Path, store: S3) -> None:
    put(store, "odd/../../escaped.parquet", b"x")
    with pytest.raises(UserError, match="is no path of a file"):
        Bucket(f"s3://{store.bucket}/odd").copy(tmp_path / "inside")
    assert not list(tmp_path.rglob("*.parquet"))


@pytest.mark.parametrize(
    ("endpoint", "line"),
    [
        ("http://127.0.0.1:9", "S3 does not answer .EndpointConnectionError."),
        ("http://me:secret-word@127.0.0.1:9", "with more to it"),
        ("no address", "AWS_ENDPOINT_URL should be the address of an S3 store"),
    ],
)
def test_a_store_that_does_not_answer_is_said_without_its_login(
    endpoint: str, line: str, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    with pytest.raises(UserError, match=line) as error:
        prepared(workspace, "s3://artefacts/rows")
    assert "secret-word" not in str(error.value)
