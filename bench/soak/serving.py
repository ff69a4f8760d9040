"""Requests, right and wrong ones, to the real server of `onnxpress serve`, and what they cost it.

After 100,000 of them its memory must be within 10 % of what it was after the warm-up, and every
single answer the model's.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import numpy as np
import psutil

from bench.serving.ports import free_ports
from onnxpress.commands.open_inference import infer_request, outputs_of
from onnxpress.commands.serve.installation import ENVIRONMENT
from onnxpress.commands.serve.local_repository import model_in
from onnxpress.commands.serve.triton_server import HOST
from onnxpress.errors import ServerError
from onnxpress.pipeline.inputs import read_rows, read_schema
from onnxpress.pipeline.outputs import QUANTIZED_MODEL, SCHEMA, SERVING, TEST
from onnxpress.runtime.sessions import open_session
from onnxpress.tables.rows import Feeds, Rows, take

ROOT = Path(__file__).parents[2]
CLIENTS = 8
POOL = 200
"""Different right requests, which are sent again and again in a random order."""
SIZES = {1: 0.7, 32: 0.2, 256: 0.08, 1024: 0.02}
"""Rows of a request at most, and the share of requests that have between the last and so many."""
WRONG = 0.1
"""The share of requests that must be refused."""
LOOKS = 10
"""How often the memory is looked at after the warm-up."""
WARM_UP = 0.1
"""Requests before the first look, as a share of those after it."""
ANSWER_SECONDS = 60


@dataclass(frozen=True)
class Exchange:
    """A request, and what came for it when it was alone."""

    kind: str
    body: bytes
    answer: bytes
    """Empty: it must be refused."""


def soak_of(
    folder: Path, requests: int, seed: int
) -> tuple[str, dict[str, int], list[float], list[str]]:
    """Serve what is packaged in ``folder``, and send ``requests`` after a warm-up.

    Returns:
        The names of what is served, how many requests of each kind were sent, the memory in MB at
        each look, and what was wrong.
    """
    repository = folder / SERVING / "repository"
    name, names = model_in(repository).name, sorted(path.name for path in repository.iterdir())
    with served(folder) as (process, port):
        pool = exchanges(folder, port, name, seed)
        chosen = random_order(pool, seed)
        sent = dict.fromkeys(sorted({each.kind for each in pool}), 0)
        findings, memory = [], []
        parts = [int(requests * WARM_UP), *map(len, np.array_split(np.arange(requests), LOOKS))]
        with ThreadPoolExecutor(CLIENTS) as clients:
            for number, part in enumerate(parts):
                batch = list(islice(chosen, part))
                shares = [batch[client::CLIENTS] for client in range(CLIENTS)]
                for found in clients.map(partial(send, port, name), shares):
                    findings += found
                memory.append(resident_mb(process))
                for each in batch if number else []:
                    sent[each.kind] += 1
    return ", ".join(names), sent, memory, findings


@contextmanager
def served(folder: Path) -> Iterator[tuple[int, int]]:
    """`onnxpress serve` in ``folder``, ready: its process, and the port of HTTP.

    Raises:
        ServerError: it does not start.
    """
    port = free_ports(3)[0]
    command = [sys.executable, "-m", "onnxpress", "serve", f"--port={port}"]
    command.append(f"--environment={ROOT / ENVIRONMENT}")
    found = {**os.environ, "PYTHONPATH": str(ROOT)}
    with Popen(command, cwd=folder, env=found, stdout=PIPE, text=True) as process:
        try:
            if not any("Ctrl-C ends it" in line for line in process.stdout or ()):
                raise ServerError(f"`onnxpress serve` in {folder} does not start")
            yield process.pid, port
        finally:
            process.terminate()
            process.communicate()


def resident_mb(process: int) -> float:
    """The resident memory of the server's processes in MB, without that of `onnxpress serve`."""
    children = psutil.Process(process).children(recursive=True)
    return float(sum(each.memory_info().rss for each in children) / 2**20)


def exchanges(folder: Path, port: int, name: str, seed: int) -> list[Exchange]:
    """The pool of requests, each sent once and its answer compared with the model's.

    Raises:
        ServerError: an answer is wrong.
    """
    session = open_session((folder / QUANTIZED_MODEL).read_bytes())
    names = [each.name for each in session.get_outputs()]
    pool = []
    with connected(port) as connection:
        for kind, feeds in right_requests(folder, seed):
            body = json.dumps(infer_request(feeds)).encode()
            status, answer = ask(connection, name, body)
            expected = dict(zip(names, session.run(names, feeds), strict=True))
            if status != http.client.OK or not same(outputs_of(json.loads(answer)), expected):
                raise ServerError(
                    f"{kind}: the server answers otherwise than the model: {answer!r}"
                )
            pool.append(Exchange(kind, body, answer))
    right = json.loads(pool[0].body)
    return pool + [Exchange(f"refused: {kind}", body, b"") for kind, body in wrong(right).items()]


def right_requests(folder: Path, seed: int) -> Iterator[tuple[str, Feeds]]:
    """Rows of each request with the name of its kind."""
    rows: Rows = read_rows(folder / TEST, read_schema(folder / SCHEMA))
    chance, least = np.random.default_rng(seed), 1
    for most, share in SIZES.items():
        for _ in range(round(share * POOL)):
            size = int(chance.integers(least, most + 1))
            kind = "1 row" if most == 1 else f"{least} to {most} rows"
            yield kind, take(rows.feeds, chance.integers(0, len(rows), size))
        least = most + 1


def wrong(right: dict[str, Any]) -> dict[str, bytes]:
    """Bodies that must be refused, made from that of a right request of one row."""

    def changed(**changes: Any) -> bytes:
        first, *others = right["inputs"]
        return json.dumps({"inputs": [{**first, **changes}, *others]}).encode()

    first = right["inputs"][0]
    columns = first["shape"][1]
    return {
        "another shape": changed(shape=[1, columns + 1], data=[*first["data"], first["data"][0]]),
        "too few values": changed(data=[]),
        "another type": changed(datatype="FP64", data=[0.5] * columns),
        "another name": changed(name="unknown"),
        "too many rows": changed(shape=[5000, columns], data=first["data"] * 5000),
        "no inputs": b'{"inputs": []}',
        "malformed JSON": b'{"inputs": [{"name"',
        "1 MB of zeros": bytes(2**20),
    }


def random_order(pool: Sequence[Exchange], seed: int) -> Iterator[Exchange]:
    """The pool again and again in a seeded order, first all of it once."""
    chance = random.Random(seed)  # noqa: S311 - a seeded choice of requests
    kinds = [[each for each in pool if bool(each.answer) is right] for right in (True, False)]
    yield from pool
    while True:
        yield chance.choice(kinds[chance.random() < WRONG])


def send(port: int, name: str, batch: Sequence[Exchange]) -> list[str]:
    """Send requests one after another over one connection; what was wrong with the answers."""
    findings = []
    with connected(port) as connection:
        for each in batch:
            try:
                status, answer = ask(connection, name, each.body)
            except (OSError, http.client.HTTPException) as error:
                findings.append(f"{each.kind}: {error!r}")
                connection.close()  # the next request opens it again
                continue
            refused = status >= http.client.BAD_REQUEST and json.loads(answer).get("error")
            if answer != each.answer if each.answer else not refused:
                findings.append(f"{each.kind}: HTTP {status}, {answer[:200]!r}")
    return findings


def ask(connection: http.client.HTTPConnection, name: str, body: bytes) -> tuple[int, bytes]:
    """Send a request; the status and the body of the answer."""
    connection.request("POST", f"/v2/models/{name}/infer", body)
    answer = connection.getresponse()
    return answer.status, answer.read()


def connected(port: int) -> closing[http.client.HTTPConnection]:
    """A connection to the server, closed after the block."""
    return closing(http.client.HTTPConnection(HOST, port, timeout=ANSWER_SECONDS))


def same(came: dict[str, Any], expected: dict[str, Any]) -> bool:
    """Whether outputs are those of the model, bit by bit; a server gives labels as (rows, 1)."""
    for name, values in expected.items():
        wanted = np.asarray(values)
        got = np.asarray(came[name]).reshape(wanted.shape).astype(wanted.dtype)
        if not np.array_equal(got, wanted, equal_nan=wanted.dtype.kind == "f"):
            return False
    return list(came) == list(expected)
