"""The cost of starting with a model: import, load time and peak memory, in a fresh process.

``python -m onnxpress.benchmark.load_cost PARENT FILE [TRUSTED ...]`` prints ``{"import_ms",
"load_ms", "peak_memory_mb"}`` for a ``.joblib`` or ``.onnx`` file, and ends with the process whose
id is PARENT. The first load also imports whatever the model needs, so ``load_ms`` is the median of
three further loads and ``import_ms`` the rest of the first: what a process pays once.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from onnxpress.errors import UserError

REPEATS = 3
ROOT = Path(__file__).resolve().parents[2]
"""The folder from which this module can be imported."""
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def load_cost(
    path: Path, trusted: Sequence[str] = (), cure: str = "make it again"
) -> dict[str, float]:
    """Return what loading one model file costs: milliseconds, and MB of 1024**2 bytes.

    ``trusted`` names classes that an estimator may hold besides scikit-learn's.

    Raises:
        UserError: the process failed; the line ends with ``cure``.
    """
    module = "onnxpress.benchmark.load_cost"
    command = [sys.executable, "-m", module, str(os.getpid()), str(path.resolve()), *trusted]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own module
    if done.returncode:
        reason = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
        raise UserError(f"cannot load {path} in a fresh process: {reason}; {cure}")
    cost: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return cost


def main() -> None:
    """Load the model named on the command line and print what it cost as JSON."""
    parent, file, *trusted = sys.argv[1:]
    _end_with(int(parent))
    path = Path(file)
    first = _load_ms(path, trusted)
    peak_memory_mb = _peak_memory_mb()  # before a second copy exists
    load_ms = statistics.median(_load_ms(path, trusted) for _ in range(REPEATS))
    cost = {
        "import_ms": max(first - load_ms, 0.0),
        "load_ms": load_ms,
        "peak_memory_mb": peak_memory_mb,
    }
    sys.stdout.write(json.dumps(cost) + "\n")


def _end_with(parent: int) -> None:
    """Have this process killed when its parent dies (prctl(2), Linux only).

    :mod:`onnxpress.held` can do this too, but what it imports would be measured.
    """
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before that
        sys.exit(1)


def _load_ms(path: Path, trusted: Sequence[str]) -> float:
    """Load the model and return the milliseconds that took."""
    start = time.perf_counter()
    from onnxpress.estimators.loading import load_original  # timed: part of the first load
    from onnxpress.runtime.sessions import open_session  # timed: part of the first load

    if path.suffix == ".joblib":
        loaded = load_original(path, trusted)
        if hasattr(loaded, "opened"):  # a net of PyTorch is opened when it first predicts,
            loaded.opened()
        elif hasattr(loaded, "session"):  # and so is a model given as ONNX
            open_session(loaded.model)
    else:
        open_session(path.read_bytes())  # the caller has checked it; who serves it does not
    return (time.perf_counter() - start) * 1000


def _peak_memory_mb() -> float:
    """Return the peak resident memory of this process in MB of 1024**2 bytes.

    Linux passes the ``ru_maxrss`` of the parent on through fork and exec; ``VmHWM`` is this
    program's own.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    import psutil

    # Windows knows the peak; macOS has no more than what is used now
    memory = psutil.Process().memory_info()
    return float(getattr(memory, "peak_wset", memory.rss)) / 1024**2


if __name__ == "__main__":
    main()
