"""The picture of the dashboard's panels: ``python -m bench.serving.panels docs/monitoring.png``.

A real Prometheus watches what `onnxpress serve` serves of ``outputs/``, with short times, while
small requests come all the time, many clients send the largest requests for a sixth of it, and in
the end first the process of the model is killed and then the server. Matplotlib draws what the
panels' queries return. Grafana has no part in it.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import numpy as np
import psutil
import yaml

from bench.serving.load import require_prometheus
from bench.serving.ports import free_ports
from bench.soak.serving import ask, connected, served
from onnxpress.commands.open_inference import infer_request
from onnxpress.commands.serve.local_repository import model_in
from onnxpress.commands.serve.triton_server import HOST, answers
from onnxpress.pipeline.files import write_bytes, write_folder
from onnxpress.pipeline.inputs import read_rows, read_schema
from onnxpress.pipeline.outputs import SCHEMA, SERVING, TEST
from onnxpress.pipeline.running import run_stage
from onnxpress.serving.monitoring.files import monitoring_files
from onnxpress.serving.monitoring.panels import Panel, panels
from onnxpress.serving.monitoring.watched import Timing, Watched
from onnxpress.tables.rows import take

SHORT = Timing(scrape="1s", window="10s", down="2s", trouble="5s")
RATES = "10s"
"""Grafana's window of a rate, at these times."""
PAUSE = 0.01
"""Seconds between two small requests."""
CLIENTS, ROWS = 16, 1024
"""The load: clients, and rows of each of their requests."""
LOADED, MODEL_KILLED, SERVER_KILLED = (1 / 3, 1 / 2), 0.85, 11 / 12
"""When what happens, as shares of the time."""
UNITS = {"percentunit": (100, " in %"), "ms": (1, " in ms"), "bytes": (1e-9, " in GB")}
"""By the unit of a panel: what its values are multiplied with, and what its title says."""


@dataclass(frozen=True)
class Drawn:
    """A panel with its series: a name in the legend, seconds (points,), values (points,)."""

    panel: Panel
    series: Sequence[tuple[str, Any, Any]]


def record(folder: Path, seconds: float) -> list[Drawn]:
    """Serve what is packaged in ``folder`` for so long, and return what the panels show of it."""
    name = model_in(folder / SERVING / "repository").name
    watched = Watched(name, p99_ms=100, on_kserve=False)
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        process, port = stack.enter_context(served(folder))
        address = stack.enter_context(_prometheus(watched, port + 2, place))
        begun = time.time()
        _happen(folder, name, process, port, seconds)
        return [_drawn(panel, address, begun, seconds) for panel in panels(watched, SHORT)]


@contextmanager
def _prometheus(watched: Watched, port: int, folder: Path) -> Iterator[str]:
    """Run a Prometheus that scrapes ``port``, and return its address."""
    files = monitoring_files(watched, SHORT)
    scraping = yaml.safe_load(files["prometheus.yml"])
    scraping["scrape_configs"][0]["static_configs"][0]["targets"] = [f"{HOST}:{port}"]
    write_folder(folder / "files", {**files, "prometheus.yml": yaml.safe_dump(scraping).encode()})
    address = f"{HOST}:{free_ports(1)[0]}"
    command = ["prometheus", "--config.file=files/prometheus.yml"]
    command += [f"--web.listen-address={address}", "--storage.tsdb.path=data"]
    with Path(folder, "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        while not answers(f"http://{address}/-/ready"):
            process.poll()
            time.sleep(0.1)
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait()


def _happen(folder: Path, name: str, process: int, port: int, seconds: float) -> None:
    """Send requests and kill processes, each at its time."""
    rows = read_rows(folder / TEST, read_schema(folder / SCHEMA))
    one, many = (
        json.dumps(infer_request(take(rows.feeds, np.arange(size) % len(rows)))).encode()
        for size in (1, ROWS)
    )
    ended, loaded = threading.Event(), threading.Event()

    def client(body: bytes, gate: threading.Event | None) -> None:
        with connected(port) as connection:
            while not ended.is_set():
                if gate and not gate.wait(PAUSE):
                    continue
                try:
                    ask(connection, name, body)
                except OSError:
                    connection.close()
                time.sleep(0 if gate else PAUSE)

    bodies = [(one, None), *[(many, loaded)] * CLIENTS]
    clients = [threading.Thread(target=client, args=each) for each in bodies]
    for each in clients:
        each.start()
    moments = [
        (LOADED[0], loaded.set),
        (LOADED[1], loaded.clear),
        (MODEL_KILLED, lambda: _kill(process, "stub")),
        (SERVER_KILLED, lambda: _kill(process, "tritonserver")),
        (1.0, ended.set),
    ]
    begun = time.monotonic()
    for share, act in moments:
        time.sleep(max(0.0, begun + share * seconds - time.monotonic()))
        act()
    for each in clients:
        each.join()


def _kill(process: int, name: str) -> None:
    for each in psutil.Process(process).children(recursive=True):
        if name in each.name():
            each.send_signal(signal.SIGKILL)


def _drawn(panel: Panel, address: str, begun: float, seconds: float) -> Drawn:
    series = []
    for query, legend in panel.queries:
        asked = {
            "query": query.replace("$__rate_interval", RATES),
            "start": begun,
            "end": begun + seconds,
            "step": 1,
        }
        with urlopen(f"{address}/api/v1/query_range?{urlencode(asked)}", timeout=30) as answer:  # noqa: S310 - our own server
            found = json.load(answer)["data"]["result"]
        for each in found:
            values = np.array(each["values"], float)
            series.append((_named(legend, each["metric"]), values[:, 0] - begun, values[:, 1]))
    return Drawn(panel, series)


def _named(legend: str, labels: Mapping[str, str]) -> str:
    for label, value in labels.items():
        legend = legend.replace(f"{{{{{label}}}}}", value)
    return legend


def picture(drawn: Sequence[Drawn]) -> bytes:
    """Draw the panels, two in a row, as PNG."""
    from io import BytesIO

    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.8, 2.1 * ((len(drawn) + 1) // 2)), layout="constrained")
    axes = figure.subplots((len(drawn) + 1) // 2, 2, sharex=True, squeeze=False)
    for axis, each in zip(axes.flat, drawn, strict=False):
        factor, unit = UNITS.get(each.panel.unit, (1, ""))
        axis.set_title(f"{each.panel.title}{unit}", loc="left", fontsize=9)
        for name, moments, values in each.series:
            axis.plot(moments, values * factor, label=name, linewidth=1)
        if each.panel.limit is not None:
            axis.axhline(each.panel.limit * factor, color="red", linestyle="--", linewidth=1)
        axis.margins(y=0.3)  # room for the legend
        axis.set_ylim(bottom=0)
        axis.tick_params(labelsize=7)
        axis.grid(alpha=0.3)
        if each.series:
            axis.legend(fontsize=6, loc="upper left")
    for axis in axes[-1]:
        axis.set_xlabel("seconds", fontsize=8)
    made = BytesIO()
    figure.savefig(made, format="png", dpi=80)
    return made.getvalue()


def main() -> None:
    """Record, and write the picture."""
    parser = argparse.ArgumentParser(prog="python -m bench.serving.panels")
    parser.add_argument("file", type=Path)
    parser.add_argument("--seconds", type=float, default=180)
    asked = parser.parse_args()
    require_prometheus()
    write_bytes(asked.file, picture(record(Path.cwd(), asked.seconds)))


if __name__ == "__main__":
    run_stage("panels", main)
