"""Where a latency was measured: without it the number means little."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

LIBRARIES = ("joblib", "numpy", "onnxruntime", "scikit-learn")


def describe(threads: int, cpu_share: float) -> dict[str, Any]:
    """CPU, cores, threads, how much of a core measuring really got, and versions of what computes."""
    from threadpoolctl import threadpool_info

    pools = {
        f"{pool['internal_api']} {pool['version'] or ''}".strip() for pool in threadpool_info()
    }
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "usable_cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "threads": threads,
        "cpu_share": cpu_share,
        "libraries": {name: version(name) for name in LIBRARIES},
        "thread_pools": sorted(pools),
        "platform": platform.platform(),
        "python": platform.python_version(),
    }


def cpu_model() -> str:
    """The CPU's name as the system tells it."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
