"""The engine that a setting names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from onnxpress.engine.cluster import cluster
from onnxpress.engine.engine import HERE, Engine
from onnxpress.progress import Say


@contextmanager
def engine_at(scheduler: str | None, warn: Say) -> Iterator[Engine]:
    """Give this process, or the cluster at an address.

    Raises:
        ServerError: as :func:`onnxpress.engine.cluster.cluster`.
    """
    if scheduler is None:
        yield HERE
    else:
        with cluster(scheduler, warn) as found:
            yield found
