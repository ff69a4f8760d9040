"""`onnxpress serve`: a real Triton answers with the packaged model, and ends well."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import requests

from onnxpress.commands.open_inference import outputs_of
from onnxpress.commands.serve.serving import STARTS
from onnxpress.commands.serve.triton_server import END_SECONDS
from onnxpress.tables.rows import take
from tests.conftest import ROOT
from tests.support.packaged import (
    ENVIRONMENT,
    Packaged,
    Server,
    assert_same,
    package,
    served,
    start,
    tables,
)

CLIENTS = ROOT / "tests" / "support" / "triton_clients.py"
BAD_GRPC = ROOT / "tests" / "support" / "bad_grpc.py"
ANSWER_SECONDS = 20


@pytest.fixture(scope="module", params=list(tables()))
def each_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    with served(package(tmp_path_factory.mktemp("served"), request.param)) as server:
        yield server


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Packaged:
    return package(tmp_path_factory.mktemp("numbers"), "numbers")


@pytest.fixture(scope="module")
def server(packaged: Packaged) -> Iterator[Server]:
    with served(packaged) as server:
        yield server


@pytest.fixture
def own_server(packaged: Packaged) -> Iterator[Server]:
    """A server that the test ends."""
    with served(packaged) as server:
        yield server


def test_the_printed_curl_line_answers(each_server: Server) -> None:
    (line,) = [line for line in each_server.printed if line.startswith("curl ")]
    shell = ["bash", "-c", line]
    done = subprocess.run(shell, capture_output=True, text=True, check=True)
    assert_same(
        outputs_of(json.loads(done.stdout)), each_server.packaged.predict(each_server.feeds())
    )


def test_all_printed_addresses_are_on_this_machine_only(server: Server) -> None:
    metrics = f"http://127.0.0.1:{server.port + 2}/metrics"
    assert [line.split()[-1] for line in server.printed[:3]] == [
        f"{server.address}/v2/models/model",
        "model",
        metrics,
    ]
    assert "nv_inference_request_success" in requests.get(metrics, timeout=10).text
    found = set()
    for process in server.children():
        for each in psutil.Process(process).net_connections("tcp"):
            if each.status == psutil.CONN_LISTEN:
                found.add((each.laddr.ip.removeprefix("::ffff:"), each.laddr.port))
    assert found == {("127.0.0.1", server.port + number) for number in range(3)}


def test_json_binary_and_grpc_give_the_model_s_predictions(
    each_server: Server, tmp_path: Path
) -> None:
    feeds = each_server.packaged.rows.feeds
    rows, answers = tmp_path / "rows.npz", tmp_path / "answers.npz"
    texts = {name: values.astype(str) for name, values in feeds.items() if values.dtype == object}
    arrays: dict[str, Any] = {**feeds, **texts}
    np.savez(rows, **arrays)
    ports = str(each_server.port), str(each_server.port + 1)
    python = ENVIRONMENT / "bin" / "python"
    done = subprocess.run(
        [python, CLIENTS, rows, answers, *ports], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = dict(np.load(answers))
    batches = {name.rpartition("/")[0] for name in found}
    assert len(batches) == 15
    for batch in batches:
        index = np.arange(int(batch.partition("/")[2])) % len(each_server.packaged.rows)
        expected = each_server.packaged.predict(take(feeds, index))
        assert_same({name: found[f"{batch}/{name}"] for name in expected}, expected)


def test_missing_numbers_and_texts_are_answered_in_json(each_server: Server) -> None:
    feeds = each_server.packaged.rows.feeds
    gaps = [
        np.isnan(values).any() if values.dtype == np.float32 else (values == "").any()
        for values in feeds.values()
    ]
    assert any(gaps) == (each_server.packaged.schema.task == "classification")
    for first in range(0, len(each_server.packaged.rows), 50):
        each_server.answers(first, 50)


def tensor(**changes: Any) -> bytes:
    columns = 13
    whole = {"name": "X", "shape": [1, columns], "datatype": "FP32", "data": [0.5] * columns}
    return json.dumps({"inputs": [{**whole, **changes}]}).encode()


BAD: dict[str, tuple[bytes, str]] = {
    "wrong shape": (tensor(shape=[1, 12], data=[0.5] * 12), "unexpected shape for input 'X'"),
    "too few values": (tensor(data=[0.5]), "Shape does not match"),
    "too many values": (tensor(data=[0.5] * 20), "Shape does not match"),
    "negative shape": (tensor(shape=[-1, 13]), "Unable to parse 'shape'"),
    "wrong type": (tensor(datatype="FP64"), "data-type is 'FP64'"),
    "unknown type": (tensor(datatype="FP31"), "invalid"),
    "text for numbers": (tensor(data=["a"] * 13), "Unable to parse 'data'"),
    "wrong name": (tensor(name="Y"), "unexpected inference input 'Y'"),
    "no rows": (tensor(shape=[0, 13], data=[]), "input byte size mismatch for input 'X'"),
    "too many rows": (tensor(shape=[1025, 13], data=[0.5] * 1025 * 13), "must be <= 1024"),
    "no inputs": (b'{"inputs": []}', "expected 1 inputs but got 0"),
    "no body": (b"", "input byte size mismatch"),
    "malformed JSON": (b'{"inputs":[{"name":"X"', "failed to parse the request JSON"),
    "not an object": (b"[]", "Unable to parse 'inputs'"),
    "deep JSON": (b"[" * 200_000, "failed to parse the request JSON"),
    "not UTF-8": (b"\xff\xfe\x00", "failed to parse the request JSON"),
    "100 MB of numbers": (tensor(data=[0.5] * 20_000_000), "Shape does not match"),
    "100 MB of zeros": (bytes(100_000_000), "failed to parse the request JSON"),
}
"""Bodies, and words of the line that each is refused with."""
UNPARSED = ("Shape does not match", "Unable to parse", "failed to parse")
"""What this version of Triton calls errors of its own, HTTP 500."""


@pytest.mark.parametrize("case", BAD)
def test_a_bad_request_is_refused_in_a_line_and_the_next_is_answered(
    case: str, server: Server
) -> None:
    body, words = BAD[case]
    came = requests.post(server.url, data=body, timeout=ANSWER_SECONDS)
    assert came.status_code == (500 if words.startswith(UNPARSED) else 400)
    assert words in came.json()["error"]
    assert "\n" not in came.json()["error"].strip()
    server.answers()


def test_a_bad_request_by_grpc_is_refused_in_a_line_and_the_next_is_answered(
    server: Server,
) -> None:
    command = [str(ENVIRONMENT / "bin" / "python"), str(BAD_GRPC), str(server.port + 1)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    odd = {"another model": "NOT_FOUND", "no message": "INTERNAL"}
    assert len(found) == 18
    for case, (code, line) in found.items():
        assert code == ("OK" if case.startswith("right") else odd.get(case, "INVALID_ARGUMENT"))
        assert "\n" not in line
        assert (line == "") == (code == "OK")
    server.answers()


@pytest.mark.parametrize("path", ["/v2/models/other/infer", "/v2/models/model/versions/9/infer"])
def test_another_model_or_version_is_refused(path: str, server: Server) -> None:
    came = requests.post(server.address + path, data=server.body(), timeout=ANSWER_SECONDS)
    assert 400 <= came.status_code < 500
    assert came.json()["error"]


def test_no_client_can_load_or_unload_a_model(server: Server) -> None:
    for action in ("load", "unload"):
        url = f"{server.address}/v2/repository/models/model/{action}"
        assert requests.post(url, timeout=ANSWER_SECONDS).status_code >= 400
    server.answers()


def test_unseen_texts_are_answered(tmp_path: Path) -> None:
    with served(package(tmp_path, "texts")) as server:
        feeds = server.feeds(0, 3)
        feeds["island"] = np.array([["never seen"], [""], ["a\nb\0\U0001f427"]], object)
        body = json.loads(server.body(0, 3))
        for each in body["inputs"]:
            if each["name"] == "island":
                each["data"] = feeds["island"].reshape(-1).tolist()
        came = requests.post(server.url, json=body, timeout=ANSWER_SECONDS)
        assert came.status_code == 200, came.text
        assert_same(outputs_of(came.json()), server.packaged.predict(feeds))


def test_64_clients_at_once_are_all_answered_right(server: Server) -> None:
    def client(number: int) -> None:
        for turn in range(5):
            server.answers(number + turn, 1 + number % 5)

    with ThreadPoolExecutor(64) as pool:
        assert len(list(pool.map(client, range(64)))) == 64


def test_a_slow_client_keeps_nobody_waiting_and_is_answered(server: Server) -> None:
    body = server.body().encode()
    head = f"POST /v2/models/model/infer HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    with ExitSockets(20, server.port) as slow:
        for each in slow:
            each.sendall(head.encode() + body[:10])
        server.answers()  # while none of them can be answered
        for each in slow:
            each.sendall(body[10:])
        for each in slow:
            each.settimeout(ANSWER_SECONDS)
            assert each.recv(100).startswith(b"HTTP/1.1 200")


class ExitSockets:
    """Open connections to a port."""

    def __init__(self, count: int, port: int) -> None:
        self.sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]

    def __enter__(self) -> list[socket.socket]:
        return self.sockets

    def __exit__(self, *_: object) -> None:
        for each in self.sockets:
            each.close()


def load(server: Server, stop: Callable[[], bool], outcomes: list[int | str]) -> None:
    """One client that sends requests over one connection until ``stop``; what comes of each."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=ANSWER_SECONDS)
    body = server.body()
    while not stop():
        try:
            connection.request("POST", "/v2/models/model/infer", body)
            answer = connection.getresponse()
            answer.read()
            outcomes.append(answer.status)
        except OSError as error:
            outcomes.append(repr(error))
            break
    connection.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_under_load_loses_no_request(own_server: Server, number: int) -> None:
    outcomes: list[int | str] = []
    signalled = [float("inf")]

    def over() -> bool:  # each client ends a second after the signal
        return time.monotonic() > signalled[0] + 1

    assert own_server.children()
    with ThreadPoolExecutor(16) as pool:
        clients = [pool.submit(load, own_server, over, outcomes) for _ in range(16)]
        while len(outcomes) < 160 and not any(client.done() for client in clients):
            time.sleep(0.02)
        signalled[0] = time.monotonic()
        own_server.process.send_signal(number)
        for client in clients:
            client.result()
    output, _ = own_server.process.communicate(timeout=40)
    assert (set(outcomes), own_server.process.returncode) == ({200}, 0)
    assert len(outcomes) >= 160
    assert output.split() == ["ended"]
    assert (own_server.children(), own_server.memory_files()) == ([], [])


def test_a_connection_that_stays_open_delays_the_end_by_seconds(own_server: Server) -> None:
    with ExitSockets(1, own_server.port):
        begun = time.monotonic()
        assert own_server.end() == (0, "  ended\n")
        assert time.monotonic() - begun < 20
    assert (own_server.children(), own_server.memory_files()) == ([], [])


def test_a_second_signal_ends_it_at_once(own_server: Server) -> None:
    with ExitSockets(1, own_server.port):
        own_server.process.send_signal(signal.SIGINT)
        time.sleep(1)
        begun = time.monotonic()
        assert own_server.end(signal.SIGINT) == (0, "  ended\n")
        assert time.monotonic() - begun < END_SECONDS - 1
    assert (own_server.children(), own_server.memory_files()) == ([], [])


def test_a_request_that_ends_this_old_triton_leads_to_a_new_start_and_no_wrong_answer(
    own_server: Server,
) -> None:
    expected = own_server.packaged.predict(own_server.feeds())
    answered, again = [], threading.Event()

    def client() -> None:
        """Send until the new start has answered; each answer must be right, or there is none."""
        while not again.is_set():
            try:
                came = requests.post(own_server.url, data=own_server.body(), timeout=30)
            except requests.RequestException:
                time.sleep(0.05)
                continue
            assert came.status_code == 200, came.text
            assert_same(outputs_of(came.json()), expected)
            answered.append(came)

    with ThreadPoolExecutor(8) as pool:
        clients = [pool.submit(client) for _ in range(8)]
        while len(answered) < 40 and not any(each.done() for each in clients):
            time.sleep(0.02)
        with suppress(requests.RequestException):
            requests.post(own_server.url, data=tensor(shape=[2**62, 13]), timeout=ANSWER_SECONDS)
        assert own_server.process.stdout
        lines = [own_server.process.stdout.readline().strip() for _ in range(2)]
        before = len(answered)
        while len(answered) < before + 40 and not any(each.done() for each in clients):
            time.sleep(0.02)
        again.set()
        for each in clients:
            each.result()
    assert lines[0].startswith("tritonserver has ended (exit code -11): Signal (11) received")
    assert lines[1] == "ready again"
    assert own_server.end() == (0, "  ended\n")
    assert (own_server.children(), own_server.memory_files()) == ([], [])


def test_a_server_whose_model_has_died_is_started_again(own_server: Server) -> None:
    children = [psutil.Process(number) for number in own_server.children()]
    (backend,) = [child for child in children if "stub" in child.name()]
    backend.kill()
    assert own_server.process.stdout
    lines = [own_server.process.stdout.readline().strip() for _ in range(2)]
    assert lines == ["the process of the model has ended", "ready again"]
    came = requests.post(own_server.url, data=own_server.body(), timeout=30)
    expected = own_server.packaged.predict(own_server.feeds())
    assert_same(outputs_of(came.json()), expected)


def test_a_server_that_is_killed_again_and_again_is_given_up(own_server: Server) -> None:
    assert own_server.process.stdout
    lines = []
    for _ in range(STARTS):
        for process in own_server.children():
            os.kill(process, signal.SIGKILL)
        lines += [own_server.process.stdout.readline() for _ in range(2)]
    assert all("has ended (exit code -9)" in line for line in lines[::2])
    assert lines[1::2] == ["  ready again\n"] * (STARTS - 1) + lines[-1:]
    assert lines[-1].startswith("serve: tritonserver has ended")
    assert own_server.process.wait(10) == 4
    assert (own_server.children(), own_server.memory_files()) == ([], [])


def test_the_server_ends_with_a_killed_parent(own_server: Server) -> None:
    own_server.process.kill()
    own_server.process.wait()
    deadline = time.monotonic() + 20
    while own_server.children() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert own_server.children() == []
    for left in own_server.memory_files():  # nobody is left to remove the temporary folder
        shutil.rmtree(left, ignore_errors=True)


def test_a_signal_while_it_starts_leaves_nothing(packaged: Packaged) -> None:
    process = start(packaged)
    server = Server(process, packaged, 0, [])
    while not server.children():
        assert process.poll() is None
        time.sleep(0.01)
    assert server.end() == (0, "  ended\n")
    assert (server.children(), server.memory_files()) == ([], [])


def test_a_model_that_triton_refuses_is_a_line(packaged: Packaged, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    subprocess.run(["cp", "-r", packaged.folder, folder], check=True)
    config = folder / "outputs/serving/repository/model/config.pbtxt"
    config.write_text(config.read_text().replace("TYPE_FP32", "TYPE_FP33"))
    process = start(Packaged(folder, packaged.rows, packaged.schema))
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 4
    (line,) = output.splitlines()
    assert line.startswith("serve: tritonserver does not start: ")
    assert "TYPE_FP33" in line
