"""The engine that params.yaml names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from onnxpress.engine.choosing import engine_at
from onnxpress.engine.engine import HERE, Engine
from onnxpress.pipeline.console import say
from onnxpress.pipeline.params import Params
from onnxpress.tables.mapped import PIECE_ROWS


@contextmanager
def engine_of(params: Params) -> Iterator[Engine]:
    """Give this process, or the cluster of ``engine.scheduler``.

    Raises:
        ServerError: there is no such cluster, or a worker would give other results.
    """
    with engine_at(params.engine.scheduler, say) as engine:
        yield engine


def engine_for(rows: int, params: Params) -> AbstractContextManager[Engine]:
    """Give what predicts so many rows: this process if they are a single piece.

    Raises:
        ServerError: as :func:`engine_of`.
    """
    return engine_of(params) if rows > PIECE_ROWS else nullcontext(HERE)
