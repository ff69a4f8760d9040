"""The engine that params.yaml names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from onnxpress.engine.choosing import engine_at
from onnxpress.engine.engine import Engine
from onnxpress.pipeline.console import say
from onnxpress.pipeline.params import Params


@contextmanager
def engine_of(params: Params) -> Iterator[Engine]:
    """Give this process, or the cluster of ``engine.scheduler``.

    Raises:
        ServerError: there is no such cluster, or a worker would give other results.
    """
    with engine_at(params.engine.scheduler, say) as engine:
        yield engine
