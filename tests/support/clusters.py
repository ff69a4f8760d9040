"""Clusters on loopback: a scheduler and two workers, in processes of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from distributed import Client

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
