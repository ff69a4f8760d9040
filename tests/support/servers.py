"""Real servers for tests, on loopback and free ports.

MLflow 3, MLflow 2 in its own environment, S3 by moto, a TCP proxy.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests

from tests.conftest import ROOT

PYTHON2 = ROOT / ".venv-mlflow2" / "bin" / "python"
"""The Python of the environment that holds MLflow 2 (``make .venv-mlflow2/installed``)."""
SETTINGS = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}


PORTS = range(20_000, 32_000)
"""Below those that Linux gives to outgoing connections, from 32,768 on, which come and go."""
_next_port = itertools.count(os.getpid() * 101)  # processes of a test run begin far apart


def free_port(count: int = 1) -> int:
    """The first of ``count`` successive ports that nothing listens on.

    No two calls of a process return the same, so that a server may start later than others.
    """
    while True:
        ports = [PORTS[next(_next_port) % len(PORTS)] for _ in range(count)]
        if ports[-1] - ports[0] == count - 1 and all(map(_is_free, ports)):
            return ports[0]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one that ended may linger
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def surroundings(**variables: str) -> dict[str, str]:
    """The environment without anything of MLflow or AWS, and without a machine's AWS files.

    Then ``variables``.
    """
    kept = {
        key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "AWS_"))
    }
    return {**kept, "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull, **variables}


@contextmanager
def started(
    command: list[str], folder: Path, health: str, variables: Mapping[str, str]
) -> Iterator[None]:
    """Run a server in its own process group; enter the block once ``health`` answers."""
    log = folder / f"{Path(command[2]).name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=surroundings(**variables),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        wait_for(health, process, log)
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when the server answers."""
    for _ in range(900):
        try:
            requests.get(url, timeout=1).raise_for_status()
        except requests.RequestException:
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"no server after 90 seconds: {log.read_text()}")


@contextmanager
def mlflow_server(
    folder: Path, *options: str, python: str = sys.executable, **variables: str
) -> Iterator[str]:
    """The address of an MLflow server.

    SQLite, proxied artefacts in ``folder`` unless ``options`` say otherwise, one worker.
    """
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [
        python,
        "-m",
        "mlflow",
        "server",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    command += [
        "--backend-store-uri",
        "sqlite:///server.db",
        *(options or ("--artifacts-destination", "./artifacts")),
    ]
    with started(command, folder, f"{address}/health", {**SETTINGS, **variables}):
        yield address


@contextmanager
def mlflow2_server(folder: Path, *options: str, **variables: str) -> Iterator[str]:
    """The address of an MLflow 2 server, the newest that there is."""
    assert PYTHON2.exists(), (
        "MLflow 2 is not installed; "
        "run `make test`, or `make .venv-mlflow2/installed` before pytest"
    )
    with mlflow_server(folder, *options, python=str(PYTHON2), **variables) as address:
        yield address


EVERYTHING = "s3:*", "sts:*"


@dataclass(frozen=True)
class S3:
    """moto's S3 store, with a bucket and a user who may use it and whose requests are checked."""

    url: str
    access_key: str
    secret_key: str
    bucket: str = "artefacts"

    def variables(self, secret_key: str = "") -> dict[str, str]:
        """Return the environment a process needs to use the store, with another secret if given."""
        return {
            **self.without_credentials,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": secret_key or self.secret_key,
        }

    @property
    def without_credentials(self) -> dict[str, str]:
        """The same for who has no credentials."""
        return {"AWS_ENDPOINT_URL": self.url, "AWS_DEFAULT_REGION": "us-east-1"}

    def client(self, service: str = "s3") -> Any:
        """A boto3 client of the user."""
        keys = {"aws_access_key_id": self.access_key, "aws_secret_access_key": self.secret_key}
        return boto3.client(service, endpoint_url=self.url, region_name="us-east-1", **keys)

    def permit(self, *actions: str) -> None:
        """Let the user do these and nothing else."""
        requests.post(
            f"{self.url}/moto-api/reset-auth", data=b"1", timeout=10
        ).raise_for_status()  # the next one is not checked
        policy = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}],
        }
        self.client("iam").put_user_policy(
            UserName="publisher", PolicyName="all", PolicyDocument=json.dumps(policy)
        )

    def stored(self) -> list[str]:
        """Every key in the bucket."""
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


@contextmanager
def s3_server(folder: Path) -> Iterator[S3]:
    """moto's S3, STS and IAM, which refuse whom they do not know."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with started(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        folder,
        f"{url}/moto-api/",
        {},
    ):
        anyone = S3(url, "anyone", "anything")
        iam = anyone.client("iam")
        iam.create_user(UserName="publisher")
        key = iam.create_access_key(UserName="publisher")["AccessKey"]
        anyone.client().create_bucket(Bucket=anyone.bucket)
        s3 = S3(url, key["AccessKeyId"], key["SecretAccessKey"])
        s3.permit(*EVERYTHING)  # from now on it checks
        yield s3


class Proxy:
    """A TCP proxy that cuts connections or falls silent after ``budget`` bytes to the server.

    After the last of ``cuts`` it lets everything pass; 0 cuts for ever.
    """

    def __init__(
        self,
        server: str,
        budget: float,
        *,
        silent: bool = False,
        delay_seconds: float = 0.0,
        cuts: int = 0,
    ) -> None:
        self.budget, self.silent, self.delay_seconds, self.cuts = (
            budget,
            silent,
            delay_seconds,
            cuts,
        )
        self.target = ("127.0.0.1", int(server.rpartition(":")[2]))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                upstream = socket.create_connection(self.target)
            except OSError:
                client.close()
                continue
            threading.Thread(target=self.pump, args=(client, upstream, True), daemon=True).start()
            threading.Thread(target=self.pump, args=(upstream, client, False), daemon=True).start()

    def pump(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        with suppress(OSError), source:
            while data := source.recv(4096):
                self.budget -= len(data) if counted else 0
                if self.budget < 0 and self.silent:
                    continue
                if self.budget < 0:
                    self.cuts -= 1
                    self.budget = float("inf") if self.cuts == 0 else self.budget
                    break
                time.sleep(self.delay_seconds)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxy(server: str, budget: float = float("inf"), **behaviour: Any) -> Iterator[Proxy]:
    """A proxy before ``server`` that listens until the block ends."""
    made = Proxy(server, budget, **behaviour)
    try:
        yield made
    finally:
        made.listener.close()


@contextmanager
def black_hole() -> Iterator[str]:
    """Yield an address that never accepts or refuses, like a firewall that drops packets."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for waiting in (first, second):  # fill the queue that nobody empties
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
