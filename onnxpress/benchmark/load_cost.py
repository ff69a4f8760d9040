"""What it costs to start with a model: import, load time and peak memory, in a fresh process.

Run as ``python -m onnxpress.benchmark.load_cost <path> [trusted ...]`` it prints ``{"import_ms", "load_ms",
"peak_memory_mb"}`` for a ``.joblib`` or ``.onnx`` file. Loading for the first time also imports whatever the model needs,
so ``load_ms`` is the median of three further loads and ``import_ms`` the rest of the first: what a process pays once.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from onnxpress.errors import UserError
from onnxpress.pipeline.signals import end_with_dvc

REPEATS = 3
ROOT = Path(__file__).resolve().parents[2]


def load_cost(path: Path, trusted: Sequence[str] = ()) -> dict[str, float]:
    """The load cost of one model file, measured in a fresh process.

    Raises:
        UserError: the process failed.
    """
    command = [sys.executable, "-m", "onnxpress.benchmark.load_cost", str(path.resolve()), *trusted]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own module
    if done.returncode:
        reason = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
        raise UserError(
            f"cannot load {path} in a fresh process: {reason}; run `dvc repro` to make it again"
        )
    cost: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return cost


def main() -> None:
    """Load the model named on the command line and print what it cost as JSON."""
    end_with_dvc()
    path = Path(sys.argv[1])
    first = _load_ms(path)
    peak_memory_mb = _peak_memory_mb()  # before a second copy exists
    load_ms = statistics.median(_load_ms(path) for _ in range(REPEATS))
    cost = {
        "import_ms": max(first - load_ms, 0.0),
        "load_ms": load_ms,
        "peak_memory_mb": peak_memory_mb,
    }
    sys.stdout.write(json.dumps(cost) + "\n")


def _load_ms(path: Path) -> float:
    start = time.perf_counter()
    from onnxpress.estimators.loading import load_original  # timed: part of the first load
    from onnxpress.runtime.sessions import open_session  # timed: part of the first load

    if path.suffix == ".joblib":
        loaded = load_original(path, sys.argv[2:])
        if hasattr(loaded, "session"):  # a model given as ONNX is opened when it is first asked
            open_session(loaded.model)
    else:
        open_session(
            path.read_bytes()
        )  # read_onnx has judged it already, and who serves it does not
    return (time.perf_counter() - start) * 1000


def _peak_memory_mb() -> float:
    """Peak resident memory of this process in MB of 1024**2 bytes.

    Linux passes the ``ru_maxrss`` of the parent on through fork and exec; ``VmHWM`` is this program's own.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    import psutil

    memory = (
        psutil.Process().memory_info()
    )  # elsewhere: Windows knows its peak, macOS gives what is used now
    return float(getattr(memory, "peak_wset", memory.rss)) / 1024**2


if __name__ == "__main__":
    main()
