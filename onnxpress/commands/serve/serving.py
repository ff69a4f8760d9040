"""Run a Triton with the packaged model until a signal comes."""

from __future__ import annotations

import json
import os
import shlex
import tempfile
from pathlib import Path

import numpy as np

from onnxpress.commands.open_inference import infer_request
from onnxpress.commands.serve.installation import ENVIRONMENT, find_installation
from onnxpress.commands.serve.local_repository import copy_for_python, model_in
from onnxpress.commands.serve.triton_server import (
    END_SECONDS,
    HOST,
    Ports,
    ended,
    running,
)
from onnxpress.errors import ServerError
from onnxpress.pipeline.console import say
from onnxpress.pipeline.inputs import read_first_rows, read_schema
from onnxpress.pipeline.outputs import SERVING, TEST
from onnxpress.pipeline.signals import Terminated

STARTS = 5
"""How often the server is started: some malformed requests end a Triton as old as the wheel's."""
REPOSITORY = SERVING / "repository"


def main(port: int, environment: Path = ENVIRONMENT) -> None:
    """Serve the model on ``port`` (HTTP) and the two after it (gRPC, metrics) of loopback.

    Ctrl-C and SIGTERM end it: what was sent on open connections is answered before.

    Raises:
        UserError: there is no packaged model, no Triton, or no free port.
        ServerError: Triton does not start, or ends by itself again and again.
    """
    installation, model = find_installation(environment), model_in(REPOSITORY)
    row, ports = _first_row(), Ports.following(port)
    try:
        with tempfile.TemporaryDirectory(prefix=f"onnxpress-serve-{os.getpid()}-") as name:
            folder = Path(name)
            options = copy_for_python(model, folder, installation)
            for start in range(STARTS):
                with running(installation, folder, ports, options) as process:
                    for line in _lines(model.name, ports, row) if not start else ["ready again"]:
                        say(line)
                    failure = ended(process, folder / "log")
                say(failure)
        raise ServerError(f"{failure}; that was the last of {STARTS} starts, run again")
    except (KeyboardInterrupt, Terminated):
        say("ended")


def _lines(model: str, ports: Ports, row: str) -> list[str]:
    address = f"http://{HOST}:{ports.http}"
    url = f"{address}/v2/models/{model}"
    return [
        f"HTTP     {url}",
        f"gRPC     {HOST}:{ports.grpc}, model {model}",
        f"metrics  http://{HOST}:{ports.metrics}/metrics",
        f"curl -s {url}/infer -H 'Content-Type: application/json' -d {shlex.quote(row)}",
        f"compare  onnxpress verify-endpoint {address}",
        f"Ctrl-C ends it, within {END_SECONDS} s if connections stay open",
    ]


def _first_row() -> str:
    """Return the body of a request with the first test row."""
    body = infer_request(read_first_rows(TEST, read_schema(), 1).feeds)
    for tensor in body["inputs"]:
        if tensor["datatype"] == "FP32":  # 0.2 is easier to read than 0.20000000298023224
            tensor["data"] = [float(str(np.float32(value))) for value in tensor["data"]]
    return json.dumps(body, separators=(",", ":"))
