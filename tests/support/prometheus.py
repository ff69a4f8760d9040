"""A real Prometheus for tests, and its tool promtool: those of Debian, or any on PATH."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.servers import free_port, wait_for

SECONDS = 90
"""How long a test waits for what must come."""


def program(name: str) -> str:
    """Where prometheus or promtool is; without it the test is skipped, and fails in CI."""
    found = shutil.which(name)
    if found is None:
        missing = f"no {name} on PATH; on Debian: apt-get install prometheus"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found


def promtool(*arguments: str | Path) -> str:
    """What promtool prints; it fails if promtool finds a fault."""
    done = subprocess.run(
        [program("promtool"), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus."""

    address: str

    def ask(self, path: str, **parameters: str) -> Any:
        """The data of an answer of its API."""
        answer = requests.get(f"{self.address}/api/v1/{path}", parameters, timeout=10).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def has(self, query: str) -> bool:
        """Whether a query gives a number now; NaN is none."""
        found = self.ask("query", query=query)["result"]
        return any(not math.isnan(float(each["value"][1])) for each in found)

    def firing(self) -> dict[str, str]:
        """The alerts that fire, with what each says."""
        return {
            each["labels"]["alertname"]: each["annotations"]["summary"]
            for each in self.ask("alerts")["alerts"]
            if each["state"] == "firing"
        }

    def until(self, holds: Callable[[], bool], meanwhile: Callable[[], object] = int) -> None:
        """Return when it holds; do something in the meantime."""
        deadline = time.monotonic() + SECONDS
        while not holds():
            assert time.monotonic() < deadline, self.ask("alerts")
            meanwhile()
            time.sleep(0.1)


OURS = (
    "prometheus --config.file=prometheus.yml "
    "--web.listen-address=127.0.0.1:9090 --storage.tsdb.path=/tmp/prometheus"
)


@contextmanager
def prometheus(folder: Path, command: str = OURS) -> Iterator[Prometheus]:
    """Run a Prometheus in a folder by a command of the shell, on a free port of loopback."""
    program("prometheus")
    port, log = free_port(), folder / "log"
    for usual, here in {"/tmp/prometheus": str(folder / "data"), "9090": str(port)}.items():  # noqa: S108
        assert usual in command
        command = command.replace(usual, here)
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"], cwd=folder, stdout=output, stderr=output
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/-/ready", process, log)
        yield Prometheus(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(30)
