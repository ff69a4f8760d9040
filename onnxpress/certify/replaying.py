"""Start a runtime on model files and rows, and take its answers."""

from __future__ import annotations

import base64
import json
import re
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.certify.environments import SCRIPTS, Environment, last_words
from onnxpress.certify.in_browser import answer_of_browser
from onnxpress.runtimes import Kind
from onnxpress.tables.rows import Feeds
from onnxpress.text import visible

LONGEST_ERROR = 300
SOURCE = re.compile(r"(Exception from|Check '\w+' failed at) \S+:\d+: ")
"""How OpenVINO begins each part of an error."""
SECONDS = 600
"""How long a runtime may take for all models that it is started on."""


@dataclass(frozen=True)
class Answer:
    """What a runtime has made of a model."""

    error: str = ""
    """Its own error in one line; empty if there was none."""
    outputs: tuple[NDArray[Any], ...] = ()
    """In the order of the graph, (rows, ...) each."""
    load_ms: float | None = None
    row_ms: float | None = None
    """The mean time of calls with one row, one after another."""
    not_tried: str = ""
    """Why it could not be asked; empty if it was."""


def replay(
    environment: Environment, models: Mapping[str, bytes], feeds: Feeds
) -> dict[str, Answer]:
    """Have a runtime load each of ``models`` and answer the rows of ``feeds``.

    The models are of our own making, or :func:`onnxpress.runtime.checked.checked_onnx` has let them
    pass. A runtime that ends the process on a model is started again on the others.
    """
    with tempfile.TemporaryDirectory(prefix="onnxpress-") as name:
        folder = Path(name)
        if environment.runtime.kind in {Kind.NODE, Kind.WEB}:
            return _in_javascript(environment, models, feeds, folder)
        return _in_python(environment, models, feeds, folder)


def _in_python(
    environment: Environment, models: Mapping[str, bytes], feeds: Feeds, folder: Path
) -> dict[str, Answer]:
    rows: dict[str, Any] = {name: _plain(values) for name, values in feeds.items()}
    np.savez(folder / "rows.npz", **rows)
    left = {str(number): name for number, name in enumerate(models)}
    for number, name in left.items():
        (folder / f"{number}.onnx").write_bytes(models[name])
    answers = {}
    kind, packages = str(environment.runtime.kind), str(environment.packages)
    script = [str(SCRIPTS / "replay.py"), kind, packages]
    while left:
        said, ended = _started([*environment.program, *script, *left], folder)
        lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
        for line in lines:
            answers[left.pop(line["model"])] = _read(line, folder)
        if left and ended:
            answers[left.pop(next(iter(left)))] = Answer(ended)
    return answers


def _read(line: Mapping[str, Any], folder: Path) -> Answer:
    if "error" in line:
        return Answer(first_words(line["error"]))
    if "not_tried" in line:
        return Answer(not_tried=line["not_tried"])
    with np.load(folder / f"{line['model']}.npz") as arrays:
        outputs = tuple(arrays[f"out{place}"] for place in range(len(arrays.files)))
    return Answer("", outputs, line["load_ms"], line["row_ms"])


def _in_javascript(
    environment: Environment, models: Mapping[str, bytes], feeds: Feeds, folder: Path
) -> dict[str, Answer]:
    request = {
        "rows": {name: _tensor(values) for name, values in feeds.items()},
        "models": {name: base64.b64encode(model).decode() for name, model in models.items()},
    }
    asked, answered = folder / "request.json", folder / "answer.json"
    asked.write_text(json.dumps(request))
    if environment.runtime.kind is Kind.WEB:
        text, ended = answer_of_browser(environment, asked, folder, SECONDS)
    else:
        script = [str(SCRIPTS / "replay_node.mjs"), str(environment.packages)]
        _, ended = _started([*environment.program, *script, asked.name, answered.name], folder)
        text = answered.read_text() if answered.exists() else ""
    found = json.loads(text) if text else {}
    failed = found.get("", {}).get("error") or ended or "it gave no answer"
    answers = {name: found.get(name, {"error": failed}) for name in models}
    return {name: _from_javascript(answer) for name, answer in answers.items()}


def _from_javascript(answer: Mapping[str, Any]) -> Answer:
    if "error" in answer:
        return Answer(first_words(answer["error"]))
    outputs = tuple(_array(tensor) for tensor in answer["outputs"])
    return Answer("", outputs, answer["load_ms"], answer["row_ms"])


def _tensor(values: NDArray[Any]) -> dict[str, Any]:
    values = _plain(values)
    shape = list(values.shape)
    if values.dtype.kind == "U":
        return {"type": "string", "dims": shape, "data": values.ravel().tolist()}
    data = base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()
    return {"type": values.dtype.name, "dims": shape, "data": data}


def _array(tensor: Mapping[str, Any]) -> NDArray[Any]:
    if tensor["type"] == "string":
        return np.array(tensor["data"], str).reshape(tensor["dims"])
    data = base64.b64decode(tensor["data"])
    return np.frombuffer(data, tensor["type"]).reshape(tensor["dims"])


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    """Return values in a form that is read without pickle."""
    return values.astype(str) if values.dtype.kind == "O" else values


def first_words(text: str) -> str:
    """Return the beginning of an error as one visible line, without where in the code it was."""
    text, *_ = " ".join(text.split()).partition("Stack backtrace:")
    return visible(SOURCE.sub("", text))[:LONGEST_ERROR].strip()


def _started(command: Sequence[str], folder: Path) -> tuple[str, str]:
    """Return what a process in ``folder`` prints, and how it ended."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            cwd=folder,  # errors that name a file then name no folder of this machine
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        said = error.stdout or b""
        return said.decode() if isinstance(said, bytes) else said, f"no answer in {SECONDS} s"
    if done.returncode < 0:
        return done.stdout, f"it ends the process: {signal.Signals(-done.returncode).name}"
    if done.returncode:
        return done.stdout, f"it ends the process: {last_words(done.stderr)}"
    return done.stdout, "it ends the process"
