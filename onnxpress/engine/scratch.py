"""Where a call on a cluster may write."""

from __future__ import annotations

from pathlib import Path


def scratch() -> Path:
    """Return the folder of the worker that makes this call; Dask removes it after the worker.

    Raises:
        ValueError: no worker makes it.
    """
    from distributed import get_worker

    return Path(get_worker().local_directory)
