"""A cluster on loopback: a scheduler and two workers, in processes of their own."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from distributed import Client, LocalCluster


@pytest.fixture(scope="package")
def local() -> Iterator[Any]:
    start: Any = LocalCluster  # it has no types
    place = {"host": "127.0.0.1", "dashboard_address": None}
    with start(n_workers=2, threads_per_worker=1, **place) as cluster:
        yield cluster


@pytest.fixture
def client(local: Any) -> Iterator[Any]:
    """Another client than the engine's."""
    connect: Any = Client
    with connect(local.scheduler_address, set_as_default=False) as found:
        yield found


def kill_a_worker(client: Any) -> None:
    """End one worker as the kernel does when memory is short; its nanny starts another."""
    pids = client.run(os.getpid)
    os.kill(pids[min(pids)], signal.SIGKILL)
