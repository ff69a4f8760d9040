"""A cluster of this machine alone: a scheduler and its workers, which no other machine reaches."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from onnxpress.errors import UserError
from onnxpress.extras import naming_extras

LOOPBACK = "127.0.0.1"
NO_PAGES = {"dashboard": False, "dashboard_address": f"{LOOPBACK}:0"}
QUIET_END = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)"
"""For a worker: Ctrl-C on a terminal reaches it too, and its parent ends it."""
SETTINGS: dict[str, Any] = {
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    # A worker that is just being started again when this time is over would not come back.
    "distributed.deploy.lost-worker-timeout": "10000 days",
    # Dask's workers give freed memory back at once, which doubles the time of large arrays.
    "distributed.nanny.pre-spawn-environ": {"OMP_NUM_THREADS": 1, "OPENBLAS_NUM_THREADS": 1},
}


@contextmanager
def local_cluster(workers: int, port: int = 0) -> Iterator[Any]:
    """Yield a ``distributed.LocalCluster`` on loopback whose workers have a thread each.

    They and the scheduler end with the block, and with this process if that is killed. ``port`` is
    the scheduler's; 0: any that is free. There is no dashboard.

    Raises:
        UserError: Dask is not installed, or the port is taken.
    """
    with naming_extras():
        import dask
        from distributed import LocalCluster
    start: Any = LocalCluster  # it has no types
    settings = {"host": LOOPBACK, "scheduler_port": port, "dashboard_address": None}
    with dask.config.set(SETTINGS):
        try:
            cluster = start(
                n_workers=workers,
                threads_per_worker=1,
                silence_logs=logging.CRITICAL,
                scheduler_kwargs=NO_PAGES,
                preload=[QUIET_END],
                **settings,
            )
        except (OSError, RuntimeError) as error:
            raise UserError(
                f"no cluster starts on {LOOPBACK}:{port} ({_cause(error)}); choose another "
                "--port, or end what uses it"
            ) from error
        with cluster:
            yield cluster


def _cause(error: BaseException) -> str:
    while inner := error.__cause__ or error.__context__:
        error = inner
    return " ".join(str(error).split())
