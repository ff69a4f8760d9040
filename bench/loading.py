"""What loading through both walls costs: ``python -m bench.loading`` writes loading.md.

A forest of about 100 MB is loaded again and again in turn: by joblib alone, by the grammar in this
process, and by the grammar in a held process as train starts one, whose start and imports are
measured apart. The page has the medians of the turns.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from onnxpress import held
from onnxpress.pipeline.console import say
from onnxpress.pipeline.files import write_bytes
from onnxpress.pipeline.running import run_stage

RESULTS = Path(__file__).parent / "results"
TURNS = 5
FEATURES = 20
QUIET = 1.5
"""Load average below which nothing else of weight was running."""
HEAVY = (
    "bench.loading",
    "sklearn.ensemble",
    "onnxpress.estimators.stored.grammar",
    "onnxpress.estimators.stored.dumping",
)


def forest(megabytes: float) -> Any:
    """A fitted random forest whose joblib file has about so many megabytes."""
    from sklearn.ensemble import RandomForestClassifier

    random = np.random.default_rng(0)
    x = random.normal(size=(20_000, FEATURES)).astype(np.float32)
    y = (x[:, 0] + random.normal(size=len(x)) > 0).astype(int)
    small = RandomForestClassifier(4, random_state=0, n_jobs=1).fit(x, y)
    from onnxpress.estimators import stored

    each = len(stored.dump(small)) / 4
    return RandomForestClassifier(
        max(1, round(megabytes * 2**20 / each)), random_state=0, n_jobs=1
    ).fit(x, y)


def seconds(act: Callable[[], Any]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def loaded(path: Path, _arguments: Any) -> tuple[dict[str, Any], Sequence[bytes]]:
    """A task of the held process: load, and return nothing."""
    from onnxpress.estimators import stored

    stored.load(path)
    return {}, []


def dumped(path: Path, _arguments: Any) -> tuple[dict[str, Any], Sequence[bytes]]:
    """A task of the held process: load, and return what train passes on."""
    from onnxpress.estimators import stored

    return {}, [stored.dump(stored.load(path))]


def in_held(keeper: held.Keeper, task: str, path: Path) -> Sequence[memoryview]:
    """What the held process returns of a task about the file."""
    order = held.Order(task, None, str(path), str(path.resolve()), (), seconds=600, memory_mb=8192)
    with path.open("rb") as file:
        return keeper.answer(order, file.fileno()).blobs


def through_both(keeper: held.Keeper, path: Path) -> None:
    """All that train does until it has the model's bytes: load, dump, hand over, judge."""
    from onnxpress.estimators import stored

    (content,) = in_held(keeper, "dumped", path)
    stored.judge(content)


def started() -> tuple[held.Keeper, float]:
    """A held process that has imported what it needs, and the seconds that this took."""
    tasks = {task.__name__: f"bench.loading:{task.__name__}" for task in (loaded, dumped)}
    start = time.perf_counter()
    keeper = held.begin(held.settings(tasks, HEAVY, ()))
    say(f"locks: {', '.join(keeper.locks) or 'none'}")
    return keeper, time.perf_counter() - start


def measure(path: Path, turns: int, keeper: held.Keeper) -> dict[str, list[float]]:
    """Seconds of each way of loading, by name, one a turn."""
    import joblib

    from onnxpress.estimators import stored

    ways: dict[str, Callable[[], Any]] = {
        "joblib.load": lambda: joblib.load(path),
        "the grammar (first wall)": lambda: stored.load(path),
        "the grammar in a held process (both walls)": lambda: in_held(keeper, "loaded", path),
        "both walls, dumped anew, handed over and judged": lambda: through_both(keeper, path),
    }
    for act in ways.values():  # imports and the file's pages
        act()
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(turns):
        for name, act in ways.items():
            found[name].append(seconds(act))
    return found


def table(
    measured: dict[str, list[float]], size: int, start: float, load: tuple[float, float]
) -> str:
    """The page."""
    plain = statistics.median(measured["joblib.load"])
    turns = len(measured["joblib.load"])
    busy = ": it was busy, and the ratios say more than the seconds" if max(load) > QUIET else ""
    lines = [
        "# Loading a model of others",
        "",
        f"Written by `python -m bench.loading`: a random forest of {size / 2**20:.0f} MB,",
        f"{turns} turns, in each turn all ways.",
        f"The machine's load average was {load[0]:.1f} before and {load[1]:.1f} after,",
        f"on {os.cpu_count()} cores{busy}.",
        "",
        "| way | median s | least s | of joblib.load |",
        "|---|---:|---:|---:|",
    ]
    for name, taken in measured.items():
        median = statistics.median(taken)
        lines.append(f"| {name} | {median:.2f} | {min(taken):.2f} | {median / plain:.2f} |")
    lines += [
        "",
        (
            f"The held process takes {start:.1f} s to start and import, once, while train "
            "reads its tables."
        ),
    ]
    return "\n".join([*lines, ""])


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(prog="python -m bench.loading", description=__doc__)
    parser.add_argument("--megabytes", type=float, default=100)
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--output", type=Path, default=RESULTS)
    asked = parser.parse_args()
    from onnxpress.estimators import stored

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "forest.joblib"
        path.write_bytes(stored.dump(forest(asked.megabytes)))
        before = os.getloadavg()[0]
        keeper, start = started()
        measured = measure(path, asked.turns, keeper)
        keeper.close()
        page = table(measured, path.stat().st_size, start, (before, os.getloadavg()[0]))
    sys.stdout.write(page)
    asked.output.mkdir(parents=True, exist_ok=True)
    write_bytes(asked.output / "loading.md", page.encode())


if __name__ == "__main__":
    run_stage("loading", main)
