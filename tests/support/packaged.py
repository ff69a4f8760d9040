"""Folders with a packaged model, and `onnxpress serve` with a real Triton in one of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
import requests
from sklearn.datasets import load_diabetes, load_wine

from onnxpress.commands.open_inference import infer_request, outputs_of
from onnxpress.conversion.converting import to_onnx
from onnxpress.estimators.building import build
from onnxpress.graph.canonical import to_bytes
from onnxpress.pipeline.files import write_bytes, write_json
from onnxpress.pipeline.inputs import read_rows
from onnxpress.runtime.sessions import open_session
from onnxpress.serving.repository import repository_files
from onnxpress.serving.triton import Batching
from onnxpress.tables.column_types import type_columns
from onnxpress.tables.parquet_file import parquet_bytes
from onnxpress.tables.rows import Feeds, Rows, sklearn_input, take
from onnxpress.tables.schema import Schema
from tests.conftest import ROOT, default_params, write_params
from tests.support.servers import free_port, surroundings

ENVIRONMENT = ROOT / ".venv-triton"
START_SECONDS = 60


def tables() -> dict[str, tuple[pd.DataFrame, str]]:
    """Tables, each with its target and estimator.

    One of numbers of which some are missing, one of texts and numbers and gaps in both, and one
    with a number to predict.
    """
    wine = load_wine(as_frame=True).frame
    generator = np.random.default_rng(0)
    gaps = generator.random(wine.shape) < 0.1
    gaps[:, -1] = False
    penguins = pd.read_csv(ROOT / "data" / "penguins.csv").rename(columns={"species": "target"})
    penguins["island"] = penguins["island"].where(generator.random(len(penguins)) > 0.1)
    penguins["island"] = penguins["island"].replace("Dream", "제주")
    diabetes = load_diabetes(as_frame=True).frame
    return {
        "numbers": (wine.mask(gaps), "HistGradientBoostingClassifier"),
        "texts": (penguins, "RandomForestClassifier"),
        "regression": (diabetes, "RandomForestRegressor"),
    }


@dataclass(frozen=True)
class Packaged:
    """A folder with params.yaml and the outputs that serving needs."""

    folder: Path
    rows: Rows
    schema: Schema

    @property
    def model(self) -> bytes:
        """The quantised model."""
        return (self.folder / "outputs" / "model_quantized.onnx").read_bytes()

    def predict(self, feeds: Feeds) -> dict[str, Any]:
        """The outputs of the quantised model by name, from onnxruntime in this process."""
        session = open_session(self.model)
        names = [each.name for each in session.get_outputs()]
        return dict(zip(names, session.run(names, feeds), strict=True))


def package(folder: Path, table: str) -> Packaged:
    """Fit a model on one of :func:`tables`, and write what the stages up to package would."""
    frame, name = tables()[table]
    typed, schema = type_columns(frame, "target", "auto")
    outputs = folder / "outputs"
    for part in ("train", "test"):
        write_bytes(outputs / f"{part}.parquet", parquet_bytes(typed))
    write_json(outputs / "schema.json", schema.to_json())
    rows = read_rows(outputs / "test.parquet", schema)
    params = {} if name.startswith("Hist") else {"n_estimators": 20}
    estimator = build(name, params, schema, 0).fit(sklearn_input(rows.feeds), rows.target)
    model = to_bytes(to_onnx(estimator, schema, 12))
    for file in ("model.onnx", "model_quantized.onnx"):
        write_bytes(outputs / file, model)
    for path, data in repository_files(model, "model", Batching()).items():
        write_bytes(outputs / "serving" / "repository" / path, data)
    write_params(folder, default_params(evaluate__probe_rows=200))
    return Packaged(folder, rows, schema)


@dataclass(frozen=True)
class Server:
    """A running `onnxpress serve`."""

    process: subprocess.Popen[str]
    packaged: Packaged
    port: int
    printed: list[str]

    @property
    def address(self) -> str:
        """Where it answers HTTP."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Where it predicts."""
        return f"{self.address}/v2/models/model/infer"

    def feeds(self, start: int = 0, rows: int = 1) -> Feeds:
        """Rows of the table, from ``start`` on and around its end."""
        index = np.arange(start, start + rows) % len(self.packaged.rows)
        return take(self.packaged.rows.feeds, index)

    def body(self, start: int = 0, rows: int = 1) -> str:
        """A request for these rows."""
        return json.dumps(infer_request(self.feeds(start, rows)))

    def answers(self, start: int = 0, rows: int = 1) -> None:
        """Hold the answer for these rows against the model's."""
        came = requests.post(self.url, data=self.body(start, rows), timeout=30)
        assert came.status_code == 200, came.text
        assert_same(outputs_of(came.json()), self.packaged.predict(self.feeds(start, rows)))

    def children(self) -> list[int]:
        """The processes that it has started: the server and the backend's."""
        folder = f"onnxpress-serve-{self.process.pid}-"
        words = {each.pid: each.info["cmdline"] or [] for each in psutil.process_iter(["cmdline"])}
        return [pid for pid, line in words.items() if any(folder in word for word in line)]

    def memory_files(self) -> list[Path]:
        """What it has in shared memory and in the temporary folder."""
        places = Path("/dev/shm"), Path(os.environ.get("TMPDIR", "/tmp"))  # noqa: S108
        name = f"onnxpress-serve-{self.process.pid}-*"
        return [path for place in places for path in place.glob(name)]

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal; the exit code, and what it has printed since it was ready."""
        self.process.send_signal(number)
        output, _ = self.process.communicate(timeout=40)
        return self.process.returncode, output


def start(packaged: Packaged, port: int | None = None) -> subprocess.Popen[str]:
    """Start `onnxpress serve`."""
    command = [sys.executable, "-m", "onnxpress", "serve", "--environment", str(ENVIRONMENT)]
    return subprocess.Popen(
        [*command, "--port", str(port or free_port(3))],
        cwd=packaged.folder,
        env=surroundings(PYTHONPATH=str(ROOT)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextmanager
def served(packaged: Packaged) -> Iterator[Server]:
    """`onnxpress serve`, ready; ended after the block if that has not ended it."""
    assert ENVIRONMENT.exists(), "run `make .venv-triton/installed` before pytest"
    port = free_port(3)  # HTTP, gRPC, metrics
    process = start(packaged, port)
    try:
        printed = []
        assert process.stdout
        for line in process.stdout:
            printed.append(line.strip())
            if "Ctrl-C ends it" in line:
                break
        else:
            pytest.fail(f"no server: {printed}")
        yield Server(process, packaged, port, printed)
    finally:
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=40)
        assert process.stdout
        process.stdout.close()


def assert_same(came: dict[str, Any], expected: dict[str, Any]) -> None:
    """Compare outputs; a server gives those of a value per row as (rows, 1)."""
    assert list(came) == list(expected)
    for name, values in expected.items():
        wanted = np.asarray(values)
        got = np.asarray(came[name]).reshape(wanted.shape)
        if wanted.dtype.kind == "f":
            assert np.array_equal(got.astype(np.float32), wanted.astype(np.float32), equal_nan=True)
        else:
            assert got.astype(wanted.dtype).tolist() == wanted.tolist()
