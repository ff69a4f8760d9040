"""Threads of this process as an engine, for calls that compute outside Python's lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from onnxpress.engine.engine import Engine, Task

Out = TypeVar("Out")


@contextmanager
def threads(count: int) -> Iterator[Engine]:
    """Give so many threads, which share the memory of this process."""
    with ThreadPoolExecutor(count) as pool:
        yield _Threads(pool, count)


class _Threads:
    def __init__(self, pool: ThreadPoolExecutor, count: int) -> None:
        self._pool, self.workers = pool, count

    def share(self, value: Any) -> Any:
        return value

    def submit(self, function: Callable[..., Out], *arguments: Any) -> Task[Out]:
        return self._pool.submit(function, *arguments)
