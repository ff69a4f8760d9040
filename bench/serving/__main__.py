"""Triton, KServe's ModelServer and MLflow's server under load: ``python -m bench.serving``.

Each answers with the forms of one forest that it can hold. All servers of a forest run at once,
and are put under load one after another, in an order that changes with each round, so that what
disturbs the machine disturbs all alike. ``--quick`` takes a sample.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import Any

from bench.data import DATA
from bench.serving import serving_report
from bench.serving.load import require_wrk, send
from bench.serving.own_network import prefix, refusal
from bench.serving.process_tree import cpu_seconds, peak_mb
from bench.serving.servers import DRIFT, KSERVE, MLFLOW, SERVERS, START, TRITON, Server
from bench.serving.subjects import FORMS, NOTHING, ORIGINAL, QUANTISED, Subject, subject
from onnxpress.pipeline.console import say
from onnxpress.pipeline.running import run_stage

RESULTS = Path(__file__).parents[1] / "results"
ROWS = (1, 32)
CLIENTS = (1, 4, 16, 64)
ROUNDS, SECONDS = 6, 1
FORESTS = ("iris", "classes_20k")
HELD_BY = {ORIGINAL: MLFLOW, NOTHING: TRITON}
"""The one server that runs a form; others run on all."""
HOLDS = {DRIFT: QUANTISED}
"""The one form that a server runs; others run all."""

Record = dict[str, Any]


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.serving")
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(FORESTS))
    parser.add_argument("--servers", nargs="+", choices=SERVERS, default=list(SERVERS))
    parser.add_argument("--clients", nargs="+", type=int, default=list(CLIENTS))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=int, default=SECONDS, help="of each load")
    parser.add_argument("--quick", action="store_true", help="iris, 1 and 16 clients, two rounds")
    parser.add_argument(
        "--output", type=Path, default=RESULTS, help="folder of serving.json and serving.md"
    )
    parser.add_argument("--own-network", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.quick:
        asked.data, asked.clients, asked.rounds = ["iris"], [1, 16], 2
    return asked


def measure(name: str, asked: argparse.Namespace) -> list[Record]:
    """Every record of one data set."""
    made = subject(name)
    say(f"{name}: {made.summary}")
    with tempfile.TemporaryDirectory(prefix="onnxpress-bench-") as folder, ExitStack() as stack:
        servers = list(_servers(made, asked.servers, Path(folder), stack))
        bodies = _bodies(made, Path(folder))
        records = []
        for round_ in range(asked.rounds):
            for rows, clients in product(ROWS, asked.clients):
                for server in _shuffled(servers, f"{round_} {rows} {clients}"):
                    requests = bodies[server.for_mlflow, rows]
                    found = _record(server, requests, clients, asked.seconds, rows)
                    records.append({"data": name, "round": round_, **found})
            say(f"{name}: round {round_ + 1} of {asked.rounds}")
    return records


def _shuffled(servers: list[Server], seed: str) -> list[Server]:
    return random.Random(seed).sample(servers, len(servers))


def _servers(
    made: Subject, kinds: Sequence[str], folder: Path, stack: ExitStack
) -> Iterator[Server]:
    """Start every server with every form that it holds, checked; they end with ``stack``."""
    for kind, form in product(kinds, FORMS):
        if HELD_BY.get(form, kind) != kind or HOLDS.get(kind, form) != form:
            continue
        place = folder / f"{kind}-{form}".replace(" ", "-")  # Triton's backend takes no spaces
        place.mkdir()
        server = stack.enter_context(START[kind](made, form, place))
        server.check(made)
        say(f"{server.name} answers")
        yield server


def _bodies(made: Subject, folder: Path) -> dict[tuple[bool, int], Path]:
    """Write the files of requests, by whether they are MLflow's and by their rows."""
    found = {}
    for for_mlflow, rows in product((False, True), ROWS):
        path = folder / f"bodies-{for_mlflow}-{rows}"
        lines = made.bodies(rows, for_mlflow=for_mlflow)
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        found[for_mlflow, rows] = path
    return found


def _record(server: Server, bodies: Path, clients: int, seconds: int, rows: int) -> Record:
    """Put a server under load, and return what that gave and cost."""
    before = cpu_seconds(server.process)
    load = send(server.url, bodies, clients, seconds)
    used = cpu_seconds(server.process) - before
    return {
        "server": server.kind,
        "form": server.form,
        "rows": rows,
        "clients": clients,
        "requests_per_s": load.requests_per_second,
        "p50_ms": load.p50_ms,
        "p99_ms": load.p99_ms,
        "cpu_s_per_million_rows": used / (load.requests * rows) * 1e6,
        "peak_mb": peak_mb(server.process),
    }


def main() -> None:
    """Measure, then write and print the tables."""
    asked = options(sys.argv[1:])
    require_wrk()
    if KSERVE in asked.servers and not asked.own_network:
        if reason := refusal():
            say(f"without KServe, which listens on every address: no network of its own ({reason})")
            asked.servers.remove(KSERVE)
        else:
            again = [sys.executable, "-m", "bench.serving", *sys.argv[1:], "--own-network"]
            os.execvp("unshare", [*prefix(), *again])  # noqa: S606 - found on PATH
    begun = os.getloadavg()[0]
    records = [record for name in asked.data for record in measure(name, asked)]
    loads = (begun, os.getloadavg()[0])
    sys.stdout.write(serving_report.write(asked.output, records, loads, asked.seconds))


if __name__ == "__main__":
    run_stage("bench", main)
