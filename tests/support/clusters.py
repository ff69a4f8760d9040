"""Clusters on loopback: a scheduler and two workers, in processes of their own."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from distributed import Client
from distributed.core import Status

from onnxpress.engine.starting import local_cluster


@pytest.fixture(scope="module")
def local() -> Iterator[Any]:
    """A ``distributed.LocalCluster``, one for the tests of a module."""
    with local_cluster(2) as cluster:
        yield cluster


@pytest.fixture
def client(local: Any) -> Iterator[Any]:
    """Another client than the engine's."""
    with connected(local.scheduler_address) as found:
        yield found


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """Yield a ``distributed.Client``."""
    connect: Any = Client  # it has no types
    with connect(address, set_as_default=False) as found:
        yield found


def kill_a_worker(cluster: Any, which: int = 0) -> bool:
    """End one worker as the kernel does when memory is short; its nanny starts another.

    False if it is just being started.
    """
    worker = cluster.workers[which].process
    if worker is None or worker.status is not Status.running:
        return False
    os.kill(worker.pid, signal.SIGKILL)
    return True
