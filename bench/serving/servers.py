"""The servers under load, each a process of its own with one form of one model."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.request import Request, urlopen

import numpy as np

from bench.serving.ports import free_ports
from bench.serving.subjects import ORIGINAL, Subject
from onnxpress.commands.open_inference import outputs_of
from onnxpress.commands.serve.installation import find_installation
from onnxpress.commands.serve.local_repository import copy_for_python
from onnxpress.commands.serve.triton_server import HOST, Ports, answers, running
from onnxpress.drift.profiling import drift_profile
from onnxpress.errors import ServerError, UserError
from onnxpress.runtime.sessions import predictions_of
from onnxpress.serving.drift_component import component_files
from onnxpress.serving.packaging import profile_file
from onnxpress.serving.repository import repository_files
from onnxpress.serving.triton import Batching
from onnxpress.tables.names import LABEL, PREDICTION
from onnxpress.tracking.served_model import save_serving_model

TRITON, DRIFT, KSERVE, MLFLOW = "Triton", "Triton with drift", "KServe", "MLflow"
SERVERS = (TRITON, DRIFT, KSERVE, MLFLOW)
DRIFT_EVERY = 100
"""The server with drift metrics counts the rows of one request in so many."""
SURVIVES_TRACES = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=65535"}
"""Keeps what a thread has freed for the same thread, so that a Triton before 25.04 does not die of
its own traces (see :mod:`onnxpress.commands.serve.local_repository`). It takes some 100 MB more."""
KSERVE_PYTHON = Path(".venv-serve/bin/python")
KSERVE_SERVER = Path(__file__).with_name("kserve_server.py")
MODEL = "model"
START_SECONDS, END_SECONDS = 120.0, 15
CHECKED_ROWS = 32


@dataclass(frozen=True)
class Server:
    """A running server with one form of a model."""

    kind: str
    form: str
    process: int
    url: str
    """Where it predicts."""

    @property
    def name(self) -> str:
        """Return what it is called in tables."""
        return f"{self.kind}, {self.form}"

    @property
    def for_mlflow(self) -> bool:
        """Whether it takes MLflow's requests, and not those of the Open Inference Protocol."""
        return self.kind == MLFLOW

    def check(self, subject: Subject) -> None:
        """Compare the predictions for some rows with those of the form in this process.

        Raises:
            ServerError: they differ.
        """
        body = subject.bodies(CHECKED_ROWS, for_mlflow=self.for_mlflow)[0]
        request = Request(self.url, body.encode(), {"Content-Type": "application/json"})  # noqa: S310
        with urlopen(request, timeout=END_SECONDS) as answer:  # noqa: S310 - an address of our own
            content = json.load(answer)
        came = _mlflow_values(content) if self.for_mlflow else _values(content)
        expected = subject.predictions(self.form, subject.feeds(0, CHECKED_ROWS))
        if not np.array_equal(np.asarray(came).reshape(-1), expected):
            raise ServerError(f"{self.name} predicts otherwise than the model in this process")


def _values(content: Any) -> Any:
    return predictions_of(outputs_of(content)).values


def _mlflow_values(content: Any) -> Any:
    found = content["predictions"]
    return found.get(LABEL, found.get(PREDICTION)) if isinstance(found, dict) else found


def _triton(subject: Subject, form: str, folder: Path) -> AbstractContextManager[Server]:
    """Run a Triton as ``onnxpress serve`` does."""
    source = folder / "packaged"
    _lay_out(source, repository_files(subject.onnx[form], MODEL, Batching()))
    return _running_triton(TRITON, form, source, folder)


def _triton_with_drift(subject: Subject, form: str, folder: Path) -> AbstractContextManager[Server]:
    """Run a Triton whose repository has the drift component, too."""
    source, part = folder / "packaged", subject.part
    model = subject.onnx[form]
    profile = drift_profile(model, part.schema, part.train.feeds, part.calibration.feeds)
    files = repository_files(model, MODEL, Batching())
    _lay_out(source, files | component_files(MODEL, profile_file(profile), DRIFT_EVERY))
    return _running_triton(DRIFT, form, source, folder)


@contextmanager
def _running_triton(kind: str, form: str, source: Path, folder: Path) -> Iterator[Server]:
    installation = find_installation()
    options = copy_for_python(source / MODEL, folder, installation, by_triton=True)
    ports = Ports.following(free_ports(3)[0])
    with ExitStack() as stack:
        with patch.dict(os.environ, SURVIVES_TRACES if options else {}):
            process = stack.enter_context(running(installation, folder, ports, options))
        url = f"http://{HOST}:{ports.http}/v2/models/{MODEL}/infer"
        yield Server(kind, form, process.pid, url)


@contextmanager
def _kserve(subject: Subject, form: str, folder: Path) -> Iterator[Server]:
    """Run KServe's ModelServer, which listens on every address, with its default settings."""
    if not KSERVE_PYTHON.exists():
        raise UserError(f"{KSERVE_PYTHON} is missing; run `make .venv-serve/installed`")
    _lay_out(folder, repository_files(subject.onnx[form], MODEL, Batching()))
    http, grpc = free_ports(2)
    command = [
        str(KSERVE_PYTHON),
        str(KSERVE_SERVER),
        f"--model_name={MODEL}",
        f"--model_dir={folder}",
        f"--http_port={http}",
        f"--grpc_port={grpc}",
    ]
    address = f"http://{HOST}:{http}"
    with _started(command, f"{address}/v2/health/ready", folder) as process:
        yield Server(KSERVE, form, process, f"{address}/v2/models/{MODEL}/infer")


@contextmanager
def _mlflow(subject: Subject, form: str, folder: Path) -> Iterator[Server]:
    """Run ``mlflow models serve`` with one worker: the original by MLflow's own flavour.

    An ONNX form is served as publish records it.
    """
    path = folder / MODEL
    if form == ORIGINAL:
        import mlflow.sklearn

        logging.getLogger("mlflow").setLevel(logging.ERROR)  # it warns of pickles, as it should
        mlflow.sklearn.save_model(
            subject.estimator, str(path), serialization_format="cloudpickle", pip_requirements=[]
        )
    else:
        save_serving_model(
            path, subject.onnx[form], subject.part.test.feeds, subject.part.schema, {}
        )
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager=local"]
    command += [f"--model-uri={path}", f"--host={HOST}", f"--port={port}", "--workers=1"]
    address = f"http://{HOST}:{port}"
    with _started(command, f"{address}/ping", folder) as process:
        yield Server(MLFLOW, form, process, f"{address}/invocations")


Start = Callable[[Subject, str, Path], Any]
START: dict[str, Start] = {
    TRITON: _triton,
    DRIFT: _triton_with_drift,
    KSERVE: _kserve,
    MLFLOW: _mlflow,
}


def _lay_out(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write the files of a model repository."""
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)


@contextmanager
def _started(command: Sequence[str], health: str, folder: Path) -> Iterator[int]:
    """Run a server in its own process group; enter the block once ``health`` answers."""
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not answers(health):
            if process.poll() is not None or time.monotonic() > deadline:
                text = log.read_text(encoding="utf-8", errors="replace")
                raise ServerError(f"{command[2]} does not start: {text[-2000:]}")
            time.sleep(0.1)
        yield process.pid
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(END_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
