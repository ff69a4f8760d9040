"""The load: wrk, which keeps a number of connections busy from one thread."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from onnxpress.errors import ServerError, UserError

SCRIPT = Path(__file__).with_name("load.lua")
ANSWER_SECONDS = 10


@dataclass(frozen=True)
class Load:
    """What wrk measured."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def requests_per_second(self) -> float:
        """Return how many requests were answered in a second."""
        return self.requests / self.seconds


def require_wrk() -> None:
    """Check that there is a wrk.

    Raises:
        UserError: there is none.
    """
    if shutil.which("wrk") is None:
        raise UserError("the load comes from wrk, which is not installed; apt-get install wrk")


def require_prometheus() -> None:
    """Check that there is a prometheus.

    Raises:
        UserError: there is none.
    """
    if shutil.which("prometheus") is None:
        raise UserError("prometheus is not installed; apt-get install prometheus")


def send(url: str, bodies: Path, clients: int, seconds: int) -> Load:
    """Send the bodies in a file, one a line, from ``clients`` connections for ``seconds``.

    Raises:
        ServerError: a request failed or was refused, or wrk fails.
    """
    command = [
        "wrk",
        "--threads=1",
        f"--connections={clients}",
        f"--duration={seconds}s",
        f"--timeout={ANSWER_SECONDS}s",
        f"--script={SCRIPT}",
        url,
        "--",
        str(bodies),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        found = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError) as error:
        raise ServerError(f"wrk fails on {url}: {done.stderr.strip() or done.stdout}") from error
    failed = {kind: count for kind, count in found["failed"].items() if count}
    if failed or not found["requests"]:
        kinds = ", ".join(f"{count} by {kind}" for kind, count in failed.items())
        raise ServerError(f"of {found['requests']} requests to {url} failed: {kinds or 'all'}")
    return Load(
        found["requests"],
        found["microseconds"] / 1e6,
        found["p50_us"] / 1000,
        found["p99_us"] / 1000,
    )
