"""What the bench of servers measures and how it judges, and the results that are committed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from bench.serving import serving_bars, serving_report
from bench.serving.__main__ import CLIENTS, ROWS
from bench.serving.load import send
from bench.serving.no_model import without_model
from bench.serving.process_tree import cpu_seconds, peak_mb
from bench.serving.servers import DRIFT, KSERVE, MLFLOW, TRITON
from bench.serving.subjects import NOTHING, ONNX, ORIGINAL, QUANTISED
from onnxpress import convert
from onnxpress.errors import ServerError
from onnxpress.runtime.sessions import open_session
from tests.conftest import ROOT

RESULTS = ROOT / "bench" / "results"
BURN = """
import sys, time
held = bytearray(64 * 2**20)
while time.process_time() < 0.3:
    pass
print("done", flush=True)
sys.stdin.read()
"""
PARENT = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BURN!r}])"


@pytest.fixture
def tree() -> Iterator[int]:
    """A process whose child has used 0.3 s of CPU and has 64 MB."""
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdin
        assert process.stdout.readline() == b"done\n"
        yield process.pid
        process.stdin.close()


def test_cpu_and_memory_are_those_of_a_process_and_all_below_it(tree: int) -> None:
    assert cpu_seconds(tree) >= 0.29  # the kernel counts in hundredths
    assert peak_mb(tree) > 64


@contextmanager
def answering(status: int) -> Iterator[tuple[str, set[str]]]:
    """A server that answers everything with a status, and the bodies that came."""
    came: set[str] = set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            came.add(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/infer", came
        finally:
            server.shutdown()


@pytest.fixture
def bodies(tmp_path: Path) -> Path:
    if shutil.which("wrk") is None:
        assert not os.environ.get("CI"), "apt-get install wrk"
        pytest.skip("no wrk")
    file = tmp_path / "bodies"
    file.write_text('{"a": 1}\n{"b": 2}\n')
    return file


def test_the_load_sends_every_body_and_counts_the_answers(bodies: Path) -> None:
    with answering(200) as (url, came):
        load = send(url, bodies, clients=2, seconds=1)
    assert came == {'{"a": 1}', '{"b": 2}'}
    assert load.requests >= len(came)
    assert load.requests_per_second == load.requests / load.seconds
    assert 0 < load.p50_ms <= load.p99_ms


def test_a_refused_request_ends_the_measurement(bodies: Path) -> None:
    with answering(400) as (url, _), pytest.raises(ServerError, match="requests to .* failed"):
        send(url, bodies, clients=1, seconds=1)


def records() -> list[dict[str, Any]]:
    """Six rounds, in which Triton takes a quarter of the CPU with the quantised model.

    It answers 20 times as many requests as MLflow. Each round is slower than the one before.
    """
    cpu = {(TRITON, ONNX): 40.0, (TRITON, QUANTISED): 10.0, (MLFLOW, ORIGINAL): 900.0}
    rate = {(TRITON, ONNX): 500.0, (TRITON, QUANTISED): 1000.0, (MLFLOW, ORIGINAL): 50.0}
    return [
        {
            "data": "iris",
            "round": round_,
            "server": server,
            "form": form,
            "rows": rows,
            "clients": clients,
            "requests_per_s": rate[server, form] / (1 + round_),
            "p50_ms": 1.0 + round_,
            "p99_ms": 9.0 + round_,
            "cpu_s_per_million_rows": cpu[server, form] * (1 + round_),
            "peak_mb": 100.0 + round_,
        }
        for round_, rows, clients, (server, form) in product(range(6), (1, 32), (1, 16), cpu)
    ]


def test_ratios_are_taken_within_rounds() -> None:
    with_drift = [
        {**each, "server": DRIFT, "cpu_s_per_million_rows": each["cpu_s_per_million_rows"] * factor}
        for each in records()
        if (each["server"], each["form"]) == (TRITON, QUANTISED)
        for factor in [1.25 if each["rows"] == 1 else 1.03125]
    ]
    cpu, rate, one_row, rows = serving_bars.bars([*records(), *with_drift])
    assert (cpu.value, cpu.passed) == (0.25, True)
    assert (rate.value, rate.passed) == (20.0, True)
    assert (one_row.value, one_row.passed) == (1.25, False)
    assert (rows.value, rows.passed) == (1.03125, True)


def test_the_floor_of_the_cpu_is_that_of_no_model_in_the_same_rounds() -> None:
    nothing = [
        {**each, "form": NOTHING, "cpu_s_per_million_rows": each["cpu_s_per_million_rows"] / 8}
        for each in records()
        if each["form"] == ONNX
    ]
    (floor,) = serving_bars.floors([*records(), *nothing]).values()
    assert floor.median == 0.125
    assert serving_bars.floors(records()) == {}


def test_a_graph_without_a_model_has_its_inputs_and_outputs() -> None:
    rows = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    forest = RandomForestClassifier(3, random_state=0).fit(rows, np.arange(30) % 3)
    model = convert(forest, rows)
    sessions = [open_session(model.SerializeToString())]
    sessions.append(open_session(without_model(model.SerializeToString())))
    shapes = [
        [(each.name, each.type, each.shape) for each in (*open_.get_inputs(), *open_.get_outputs())]
        for open_ in sessions
    ]
    assert shapes[0] == shapes[1]
    label, copied = sessions[1].run(None, {sessions[1].get_inputs()[0].name: rows})
    assert np.array_equal(copied, rows[:, :3])
    assert label.tolist() == rows[:, 0].astype(int).tolist()


def test_a_bar_without_its_cells_is_not_measured() -> None:
    alone = [each for each in records() if each["form"] == ONNX]
    assert [bar.passed for bar in serving_bars.bars(alone)] == [None] * 4


def test_a_cell_has_medians_over_rounds_and_the_largest_memory() -> None:
    cells = serving_report.medians(records())
    (cell,) = [
        each
        for each in cells
        if (each["server"], each["form"], each["rows"], each["clients"]) == (TRITON, ONNX, 32, 16)
    ]
    assert (cell["p50_ms"], cell["cpu_s_per_million_rows"], cell["peak_mb"]) == (3.5, 140.0, 105.0)


def test_the_page_says_how_busy_the_machine_was(tmp_path: Path) -> None:
    page = serving_report.write(tmp_path, records(), (3.25, 4.5), 1)
    assert page == (tmp_path / "serving.md").read_text(encoding="utf-8")
    assert "load average was 3.2 at" in page
    assert "the start and 4.5 at the end" in page
    assert "## iris, 32 rows a request, 1 / 16 clients" in page
    assert len(json.loads((tmp_path / "serving.json").read_text())["cells"]) == 12
    assert (tmp_path / "serving.png").read_bytes().startswith(b"\x89PNG")


def test_the_committed_run_has_every_server_form_and_load() -> None:
    stored = json.loads((RESULTS / "serving.json").read_text(encoding="utf-8"))
    found = {(each["server"], each["form"]) for each in stored["cells"]}
    assert found >= {(MLFLOW, ORIGINAL), *product((TRITON, KSERVE, MLFLOW), (ONNX, QUANTISED))}
    for data in {each["data"] for each in stored["cells"]}:
        of_data = [each for each in stored["cells"] if each["data"] == data]
        assert {(each["rows"], each["clients"]) for each in of_data} == set(product(ROWS, CLIENTS))
    assert all(bar["value"] > 0 for bar in stored["bars"])
