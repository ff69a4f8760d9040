"""`onnxpress verify-endpoint` against a real Triton: the right model, another one, none."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.packaged import Packaged, Server, package, served, tables
from tests.support.servers import black_hole, free_port, surroundings
from tests.support.with_grpc import with_grpc


def verify(packaged: Packaged, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*with_grpc(".venv-triton"), "verify-endpoint", *words],
        cwd=packaged.folder,
        env=surroundings(PYTHONPATH=str(ROOT), **variables),
        capture_output=True,
        text=True,
        check=False,
    )


def by_grpc(server: Server) -> str:
    """Where a server answers gRPC: `make serve` has it on the port after that of HTTP."""
    return f"grpc://127.0.0.1:{server.port + 1}"


@pytest.fixture(scope="module", params=list(tables()))
def each_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    with served(package(tmp_path_factory.mktemp("served"), request.param)) as server:
        yield server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served(package(tmp_path_factory.mktemp("texts"), "texts")) as server:
        yield server


@pytest.mark.parametrize("form", [(), ("--binary",), ("--batch", "1024"), ("grpc",)])
def test_the_packaged_model_agrees_on_every_row(each_server: Server, form: tuple[str, ...]) -> None:
    words = (each_server.address, *form) if form != ("grpc",) else (by_grpc(each_server),)
    done = verify(each_server.packaged, *words, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    rows = {"test": len(each_server.packaged.rows), "probe": 200}
    assert (found["passed"], found["rows"]) == (True, rows)
    assert found["agreement"] == {"test": 1.0, "probe": 1.0}
    assert found["max_relative_diff"] == {"test": 0.0, "probe": 0.0}
    for times in found["latency_ms"].values():
        assert 0 < times["p50"] <= times["p95"] <= times["p99"]


def test_it_prints_counts_latencies_and_a_verdict(server: Server) -> None:
    done = verify(server.packaged, server.address)
    assert (done.returncode, done.stderr) == (0, "")
    rows = len(server.packaged.rows)
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert lines[0].startswith(f"{rows} of {rows} test rows agree, in {-(-rows // 32)} requests")
    assert lines[1].startswith("200 of 200 probe rows agree, in 7 requests")
    assert [line.partition(" a request: p50 ")[0] for line in lines[2:4]] == ["1 row", "32 rows"]
    model = f"{server.address}/v2/models/model"
    assert lines[4] == f"{model} predicts what outputs/model_quantized.onnx does"


def test_another_model_is_found_and_a_row_is_named(server: Server, tmp_path: Path) -> None:
    here = tmp_path / "here"
    shutil.copytree(server.packaged.folder, here)
    frame = package(tmp_path / "other", "texts")
    model = frame.model.replace(b"Adelie", b"Elidea")
    (here / "outputs/model_quantized.onnx").write_bytes(model)
    done = verify(Packaged(here, frame.rows, frame.schema), server.address)
    assert done.returncode == 3
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"verify-endpoint: {server.address}/v2/models/model predicts ")
    assert " is Adelie there and Elidea here" in line
    assert "test row 0 ('island' is 'Torgersen'" in line


def test_a_model_with_other_inputs_is_refused_before_any_row(
    server: Server, tmp_path: Path
) -> None:
    done = verify(package(tmp_path, "numbers"), server.address)
    assert done.returncode == 3
    assert "should take {'X': 'FP32'}, takes {'island': 'BYTES'" in done.stderr
    assert (len(done.stderr.splitlines()), done.stdout) == (1, "")


def test_what_does_not_answer_is_a_line_that_names_it(server: Server) -> None:
    gone = f"http://127.0.0.1:{free_port()}"
    with black_hole() as silent:
        cases = {
            (gone,): f"{gone}/v2/models/model does not answer",
            (silent, "--seconds", "1"): f"{silent}/v2/models/model does not answer",
            (server.address, "--model", "other"): "answers with HTTP 404: ",
            (f"http://127.0.0.1:{server.port + 2}",): "should answer with JSON",
            (f"http://127.0.0.1:{server.port + 1}",): "does not answer",
            (f"grpc://127.0.0.1:{free_port()}",): ", model model does not answer",
            (f"grpc{silent[4:]}", "--seconds", "1"): ", model model does not answer",
            (by_grpc(server), "--model", "other"): "answers with NOT_FOUND: ",
        }
        for words, expected in cases.items():
            done = verify(server.packaged, *words)
            assert (done.returncode, done.stdout) == (4, "")
            (line,) = done.stderr.splitlines()
            assert expected in line


def test_a_login_and_a_token_are_never_printed(server: Server) -> None:
    address = f"http://alicia:s3cr3tPW@127.0.0.1:{free_port()}"
    done = verify(server.packaged, address, ONNXPRESS_ENDPOINT_TOKEN="t0kenT0ken")  # noqa: S106
    assert done.returncode == 4
    assert not any(secret in done.stderr for secret in ("s3cr3tPW", "t0kenT0ken"))
    done = verify(server.packaged, server.address, ONNXPRESS_ENDPOINT_TOKEN="a\nb")  # noqa: S106
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)


def test_another_model_is_found_over_grpc_too(server: Server, tmp_path: Path) -> None:
    done = verify(package(tmp_path, "numbers"), by_grpc(server))
    assert done.returncode == 3
    assert "should take {'X': 'FP32'}, takes {'island': 'BYTES'" in done.stderr


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://host", "http://", "http://a b", "x"])
def test_what_is_no_address_is_a_line(server: Server, url: str) -> None:
    done = verify(server.packaged, url)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("verify-endpoint: URL should be like http://127.0.0.1:8000, got ")
