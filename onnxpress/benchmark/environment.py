"""Where a latency was measured: without it the number means little."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from typing import Any

from onnxpress.benchmark.processor import cpu_model, int8_instructions

LIBRARIES = ("joblib", "numpy", "onnxruntime", "scikit-learn")


def describe(threads: int, cpu_share: float) -> dict[str, Any]:
    """Return the CPU, its instructions for int8, its cores, and the versions of what computes.

    ``threads`` is how many each model used, ``cpu_share`` how many cores measuring got.
    """
    return {
        "cpu": cpu_model(),
        "int8_instructions": int8_instructions(),
        "cores": os.cpu_count(),
        "usable_cores": usable_cores(),
        "threads": threads,
        "cpu_share": cpu_share,
        "libraries": {name: version(name) for name in LIBRARIES},
        "thread_pools": _thread_pools(),
        "platform": platform.platform(),
        "python": platform.python_version(),
    }


def usable_cores() -> int:
    """Return the cores that this process may use; all of them if it has no limits."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _thread_pools() -> list[str]:
    """Return the BLAS and OpenMP libraries that are loaded, as ``openblas 0.3.30``."""
    from threadpoolctl import threadpool_info

    found = {f"{each['internal_api']} {each['version'] or ''}" for each in threadpool_info()}
    return sorted(each.strip() for each in found)
