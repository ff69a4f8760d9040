"""What publish uploads, served by KServe's ModelServer as the manifest says, predicts the same.

The server listens on every address, so it runs in a network of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.serving.own_network import entering, prefix, refusal
from onnxpress.credentials.addresses import local_path
from onnxpress.serving.kserve import Resources
from onnxpress.serving.packaging import MANIFEST, REPOSITORY, Deployment, packaged
from onnxpress.serving.repository import content_digest
from onnxpress.serving.triton import Batching
from onnxpress.tracking.model_storage import upload_once
from tests.conftest import ROOT
from tests.support.packaged import Packaged, package
from tests.support.servers import surroundings
from tests.support.with_grpc import with_grpc

PYTHON = ROOT / ".venv-serve" / "bin" / "python"
SERVER = ROOT / "bench" / "serving" / "kserve_server.py"
START_SECONDS = 60
HTTP, GRPC = "http://127.0.0.1:8080", "grpc://127.0.0.1:8081"
"""At ModelServer's default ports."""


@dataclass(frozen=True)
class KServe:
    """A running ModelServer, and the folder whose model it serves."""

    process: subprocess.Popen[bytes]
    packaged: Packaged

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the server's network and the package's folder."""
        return subprocess.run(
            [*entering(self.process.pid), *command],
            cwd=self.packaged.folder,
            env=surroundings(PYTHONPATH=str(ROOT)),
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def kserve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KServe]:
    """A server of a model that takes texts and numbers, of which some are missing."""
    if reason := refusal():
        assert not (os.environ.get("CI") and os.geteuid() == 0), reason
        pytest.skip(f"no network of its own for the server: {reason}")
    assert PYTHON.exists(), "run `make .venv-serve/installed` before pytest"
    folder = tmp_path_factory.mktemp("kserve")
    made = package(folder / "chain", "texts")
    with served(made, deployed(made, folder / "models"), folder / "log") as server:
        yield server


def deployed(made: Packaged, storage: Path) -> dict[str, Any]:
    """Upload the repository as publish does, and return the manifest."""
    deployment = Deployment("model", Batching(), Resources(), f"file://{storage}")
    files = packaged(made.model, made.schema, {"form": 1}, deployment, "1.21.0", [])
    repository = {
        path.removeprefix(f"{REPOSITORY}/"): data
        for path, data in files.items()
        if path.startswith(REPOSITORY)
    }
    upload_once(f"file://{storage}", content_digest(repository), repository)
    return dict(yaml.safe_load(files[MANIFEST]))


@contextmanager
def served(made: Packaged, manifest: dict[str, Any], log: Path) -> Iterator[KServe]:
    """Run the server with the name and the storage of a manifest until the block ends."""
    model = manifest["spec"]["predictor"]["model"]
    assert model["protocolVersion"] == "v2"
    arguments = [
        f"--model_name={manifest['metadata']['name']}",
        f"--model_dir={local_path(model['storageUri'])}",
    ]
    with log.open("wb") as output:
        command = [*prefix(), str(PYTHON), str(SERVER), *arguments]
        process = subprocess.Popen(command, stdout=output, stderr=output)
    server = KServe(process, made)
    try:
        wait_for(server, log)
        yield server
    finally:
        process.terminate()
        process.wait(40)


def wait_for(server: KServe, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    ready = ["curl", "--fail", "--silent", "--max-time", "1", f"{HTTP}/v2/health/ready"]
    while server.run(*ready).returncode:
        assert server.process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)


@pytest.mark.parametrize("words", [[HTTP], [HTTP, "--binary"], [GRPC]])
def test_it_predicts_every_row_as_the_quantised_model(kserve: KServe, words: list[str]) -> None:
    done = kserve.run(*with_grpc(".venv-serve"), "verify-endpoint", *words, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["rows"] == {"test": len(kserve.packaged.rows), "probe": 200}
    assert found["agreement"] == {"test": 1.0, "probe": 1.0}


def test_rows_of_another_shape_are_refused_with_a_line(kserve: KServe) -> None:
    body = {"inputs": [{"name": "X", "shape": [1, 1], "datatype": "FP32", "data": [1.0]}]}
    header = ["-H", "Content-Type: application/json", "-w", "%{http_code}"]
    url = f"{HTTP}/v2/models/model/infer"
    done = kserve.run("curl", "--silent", *header, "-d", json.dumps(body), url)
    assert done.stdout.endswith("400")
    assert "the model cannot be run on these rows" in done.stdout


def test_nobody_outside_its_network_reaches_it(kserve: KServe) -> None:
    network = Path(f"/proc/{kserve.process.pid}/ns/net").readlink()
    assert network != Path("/proc/self/ns/net").readlink()
