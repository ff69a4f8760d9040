"""One worker against two, on the trials of quantize and on score, and what a hundred would do."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from distributed.diagnostics.task_stream import TaskStreamPlugin

from bench.scale.axes import SETTINGS, STEPS, Record, forest
from bench.scale.generated import write_rows
from bench.scale.running import project, run
from bench.scale.scheduling import makespan
from onnxpress.engine.starting import local_cluster
from onnxpress.pipeline.outputs import CANDIDATES, QUANTIZATION, QUANTIZED_MODEL

SIMULATED = (1, 2, 4, 10, 30, 100)
MADE = {
    "quantize": (str(QUANTIZED_MODEL), str(QUANTIZATION), str(CANDIDATES)),
    "score": ("scored",),
}
"""The files and folders that a step writes."""


def compare(rows: int, work: Path) -> list[Record]:
    """Return for each step what it takes here, on one worker and on two.

    quantize has a fortieth of the ``rows``, and scores candidates with clones fitted on folds of
    them: score is much faster.
    """
    write_rows(work / "data" / "rows", rows, 10)
    kept = rows // 40
    few = {"train.max_rows": kept, "data.calibration_size": 0}
    settings = SETTINGS | forest(100, max_depth=12) | few
    project(work, settings)
    for stage in ("prepare", "train", "convert"):
        run(work, STEPS[stage])
    found = []
    for step, paths in MADE.items():
        here = run(work, STEPS[step])
        read = kept if step == "quantize" else rows
        record: Record = {"step": step, "rows": read, "here_s": here.wall_s}
        record["both_s"] = two_at_once(work, step)
        digests = {taken(work, paths)}
        for workers in (1, 2):
            with local_cluster(workers) as cluster:
                took = on(cluster, work, step, settings)
            digests.add(taken(work, paths))
            record[f"workers_{workers}_s"] = took.seconds
            record[f"trials_{workers}_s"] = took.trials_s
            if workers == 1:
                record |= simulated(took.seconds, took.times)
        found.append(record | {"identical": len(digests) == 1})
    return found


def two_at_once(work: Path, step: str) -> float:
    """Return the seconds in which this machine does a step twice, in two processes.

    Two workers cannot gain more than two processes that have nothing to do with each other.
    """
    places = [work.with_name(f"{work.name}-{number}") for number in range(2)]
    for place in places:
        shutil.copytree(work, place)
        shutil.rmtree(place / "scored", ignore_errors=True)
    with ThreadPoolExecutor(len(places)) as pool:
        walls = [each.wall_s for each in pool.map(lambda place: run(place, STEPS[step]), places)]
    for place in places:
        shutil.rmtree(place)
    return max(walls)


class Took(NamedTuple):
    """What a step has taken on workers."""

    seconds: float
    """Of the whole step, the start of Python among them."""
    trials_s: float
    """Seconds from the start of the first task to the end of the last."""
    times: list[float]
    """Seconds of each task."""


def on(cluster: Any, work: Path, step: str, settings: Mapping[str, Any]) -> Took:
    """Run a step with the workers of a cluster."""
    project(work, {**settings, "engine.scheduler": cluster.scheduler_address})
    plugin: Any = TaskStreamPlugin  # it has no types
    stream = plugin(cluster.scheduler, maxlen=10**6)
    cluster.scheduler.add_plugin(stream)
    seconds = run(work, STEPS[step]).wall_s
    project(work, settings)
    spans = [span for task in stream.buffer for span in task.get("startstops", ())]
    ran = [(each["start"], each["stop"]) for each in spans if each["action"] == "compute"]
    trials_s = max(stop for _, stop in ran) - min(start for start, _ in ran)
    return Took(seconds, trials_s, [stop - start for start, stop in ran])


def simulated(seconds: float, times: Sequence[float]) -> Record:
    """Return how long a step takes on more workers, by its tasks on one and all that is between."""
    between = max(0.0, seconds - sum(times))
    return {
        "tasks": len(times),
        "tasks_s": sum(times),
        "longest_s": max(times, default=0.0),
        "simulated_s": {str(count): between + makespan(times, count) for count in SIMULATED},
    }


def taken(work: Path, paths: Sequence[str]) -> str:
    """Remove what a step has written, and return its digest."""
    digest = sha256()
    for name in paths:
        place = work / name
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if path.is_file():
                digest.update(path.relative_to(work).as_posix().encode())
                digest.update(path.read_bytes())
    if (work / "scored").exists():
        shutil.rmtree(work / "scored")
    return digest.hexdigest()
