"""Drift of a served model as Prometheus metrics: a model of Triton's Python backend beside it.

Triton writes inputs and outputs of one request in so many to files (``--trace-config``). This model
reads them in a thread of its own, deletes them, and sets its metrics, which Triton shows with its
own. It takes no part in any answer. It runs where the rest of the project is not installed, and
imports numpy and Triton's own module only.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as triton

from onnxpress.drift.traces import requests_in
from onnxpress.drift.window import Window

PROFILE = "drift_profile.json"
SECONDS = 2.0
"""Between two looks at the files."""
HALF_WRITTEN_SECONDS = 10.0
"""How long a file that cannot be read may be one that Triton is still writing."""
MOST_BYTES, MOST_FILES = 64 * 2**20, 1000
"""What is read of a file, and how many; what is beyond is deleted unread."""
PSI, CHANCE, ROWS, UNREAD = (
    "onnxpress_drift_psi",
    "onnxpress_drift_psi_chance",
    "onnxpress_drift_rows",
    "onnxpress_drift_unread_total",
)


class TritonPythonModel:  # the name that Triton looks for
    """Reads traces and sets metrics until Triton unloads it."""

    def initialize(self, arguments: dict[str, str]) -> None:
        """Begin to read. Without a right profile there are no metrics, but the server starts."""
        self.ended = threading.Event()
        self.reader = threading.Thread(target=self.read_on, daemon=True)
        try:
            self.prepare(arguments)
        except Exception as error:  # the served model must not suffer, whatever it is
            _log(error)
        else:
            self.reader.start()

    def prepare(self, arguments: dict[str, str]) -> None:
        """Read the profile, and show the metrics."""
        folder = Path(arguments["model_repository"]) / arguments["model_version"]
        parameters = json.loads(arguments["model_config"])["parameters"]
        self.traces = Path(parameters["traces"]["string_value"])
        self.window = Window(json.loads((folder / PROFILE).read_text(encoding="utf-8")))
        self.metrics = Metrics(self.window, parameters["model"]["string_value"])

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Answer each request with the number of rows in the window; 0 without a profile."""
        rows = np.array([self.window.rows if self.reader.is_alive() else 0], np.int64)
        return [triton.InferenceResponse([triton.Tensor("rows", rows)]) for _ in requests]

    def finalize(self) -> None:
        """End the thread."""
        self.ended.set()
        if self.reader.is_alive():
            self.reader.join()

    def read_on(self) -> None:
        """Look for files again and again."""
        while not self.ended.wait(SECONDS):
            try:
                if self.read():
                    self.show()
            except Exception as error:  # the server must go on, whatever it is
                _log(error)

    def read(self) -> bool:
        """Count the rows of all files and delete these; whether there were any."""
        files = sorted(self.traces.parent.glob(f"{self.traces.name}.*"), key=_number)
        for file in files[:-MOST_FILES]:
            self.drop(file)
        return sum(map(self.read_file, files[-MOST_FILES:])) > 0

    def read_file(self, file: Path) -> bool:
        """Count the rows of a file and delete it; whether it could be read."""
        state = file.stat()
        if state.st_size > MOST_BYTES:
            self.drop(file)
            return False
        try:
            for inputs, outputs in requests_in(file.read_text(encoding="utf-8")):
                self.window.add(inputs, outputs)
        except ValueError:
            if time.time() - state.st_mtime > HALF_WRITTEN_SECONDS:
                self.drop(file)
            return False
        file.unlink(missing_ok=True)
        return True

    def drop(self, file: Path) -> None:
        """Delete a file that is not read, and count it."""
        file.unlink(missing_ok=True)
        self.metrics.unread.increment(1)

    def show(self) -> None:
        """Set the metrics."""
        self.metrics.rows.set(self.window.rows)
        shown = zip(self.metrics.psi, self.metrics.chance, self.window.readings(), strict=True)
        for index, luck, reading in shown:
            index.set(reading.psi)
            luck.set(reading.chance)


class Metrics:
    """The metrics on Triton's page; a family that is not kept disappears from it."""

    def __init__(self, window: Window, model: str) -> None:
        """Show all of them, at 0."""
        gauge, counter = triton.MetricFamily.GAUGE, triton.MetricFamily.COUNTER
        families = {
            PSI: ("Population stability index against the training rows", gauge),
            CHANCE: ("What the index of as many rows without drift stays below", gauge),
            ROWS: ("Rows in the window", gauge),
            UNREAD: ("Trace files not read", counter),
        }
        self.families = {
            name: triton.MetricFamily(name=name, description=text, kind=kind)
            for name, (text, kind) in families.items()
        }
        own = {"model": model}
        self.rows, self.unread = (self.families[name].Metric(own) for name in (ROWS, UNREAD))
        labels = []
        for at, entry in enumerate(window.entries()):
            kind = "feature" if at < len(window.features) else "prediction"
            labels.append({**own, "kind": kind, "name": entry["name"]})
        self.psi = [self.families[PSI].Metric(each) for each in labels]
        self.chance = [self.families[CHANCE].Metric(each) for each in labels]


def _log(error: Exception) -> None:
    line = " ".join(repr(error).split())[:300]
    triton.Logger.log_error(f"drift: {line}")


def _number(file: Path) -> int:
    """Return the number of a trace file, which Triton counts up."""
    return int(file.suffix[1:]) if file.suffix[1:].isdigit() else -1
