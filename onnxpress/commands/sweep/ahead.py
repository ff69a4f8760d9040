"""The reproducible stages of a sweep's points, run ahead on a cluster's workers.

What they make comes into this repository's cache, run cache and all. DVC's queue then runs the
points here as it does without a cluster, and finds these stages done. So latency is measured here,
one point after another, and the table, MLflow and what an interrupt leaves are those of one
machine.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from onnxpress.commands.snapshot import Place, Snapshot, take, tracked_files, unpacked
from onnxpress.commands.sweep.outcomes import failure
from onnxpress.commands.sweep.points import Point
from onnxpress.commands.sweep.remote import Remote, Runs, fetch, push, refuse_other, shared_remote
from onnxpress.engine.choosing import engine_at
from onnxpress.engine.engine import in_order
from onnxpress.errors import ServerError
from onnxpress.pipeline.console import progress, say
from onnxpress.pipeline.external import run_bound
from onnxpress.pipeline.outputs import PARAMS
from onnxpress.pipeline.params import ENGINE

DVC = (sys.executable, "-m", "dvc")
LAST, LAST_BEFORE_TIMES = "evaluate", "convert"
"""The last stage that is reproducible, and the last one where quantize measures times."""
MODEL = ("seed", "data", "train", "convert")
"""The sections that decide about the model before quantisation."""


@dataclass(frozen=True)
class Made:
    """What became of a point on a worker."""

    runs: Runs
    """What its stages have made, as entries of the run cache."""
    failure: str
    """The line of the stage that has failed; empty if none has."""


def run_ahead(points: Sequence[Point], scheduler: str) -> None:
    """Run the reproducible stages of points on the workers of a cluster.

    A stage that fails there is run again here, by the queue, so that its error is one of here.

    Raises:
        UserError: there is no remote to share with the workers, or the files are too large.
        ServerError: the cluster or the remote fails.
    """
    files = tracked_files()
    tracked = [path.as_posix() for path in files if path.suffix == ".dvc" and path.is_file()]
    snapshot = take(files)
    turns = spread(points)
    with engine_at(scheduler, say) as engine, shared_remote() as remote:
        if tracked:
            _dvc(Place(Path.cwd(), os.environ), "push", "--remote", remote.name, *tracked)
        contents = [point.content for point in turns]
        made = in_order(engine, run_point, contents, engine.share(snapshot), remote, tracked)
        shown = progress(made, len(turns), "stages on the cluster")
        for number, (point, each) in enumerate(zip(turns, shown, strict=True), 1):
            fetch(remote, each.runs)
            note = f"; {each.failure}, so the rest is tried here" if each.failure else ""
            say(f"{number} of {len(turns)} came from the cluster: {point}{note}")
    say("what is measured, drawn and published follows here, one point after another")


def spread(points: Sequence[Point]) -> list[Point]:
    """Return the points in another order: first one for each model, then a second one, and so on.

    Those that share a model would fit it at the same time; so the later ones find it in the remote.
    """
    turns: Counter[str] = Counter()

    def turn(point: Point) -> int:
        model = json.dumps([point.content[name] for name in MODEL], sort_keys=True, default=str)
        turns[model] += 1
        return turns[model]

    return sorted(points, key=turn)


def run_point(
    content: Mapping[str, Any], snapshot: Snapshot, remote: Remote, tracked: Sequence[str]
) -> Made:
    """Run the reproducible stages of a point on a worker, and push what they have made.

    Args:
        content: of params.yaml.
        snapshot: of the repository.
        remote: where files come from and go to.
        tracked: the files by which DVC tracks data.

    Raises:
        ServerError: the remote or the worker fails.
    """
    from dvc.repo import Repo

    with unpacked(snapshot) as place:
        _configure(place, remote)
        here = {**content, ENGINE: {"scheduler": None}}
        (place.folder / PARAMS).write_text(yaml.safe_dump(here), encoding="utf-8")
        with Repo(str(place.folder)) as repo:
            refuse_other(repo, remote)
        if tracked:
            _dvc(place, "pull", *tracked)
        failed = _reproduce(place, LAST if _reproducible(content) else LAST_BEFORE_TIMES)
        with chdir(place.folder), Repo() as repo:  # DVC reads its run cache relative to it
            return Made(push(repo, remote), failed)


def _reproducible(content: Mapping[str, Any]) -> bool:
    """Whether quantize measures no times."""
    return bool(content["quantize"]["objective"] == "size")


def _configure(place: Place, remote: Remote) -> None:
    """Give DVC the remote, and one cache for all points of a sweep; remove those of others."""
    from dvc.config import Config

    caches = (place.scratch or place.folder) / "onnxpress-sweeps"
    cache = caches / remote.mark
    cache.mkdir(parents=True, exist_ok=True)
    for other in caches.iterdir():
        if other != cache:
            shutil.rmtree(other, ignore_errors=True)
    (place.folder / ".dvc").mkdir(exist_ok=True)
    with Config(dvc_dir=str(place.folder / ".dvc")).edit("local") as local:
        local["core"] = {"remote": remote.name, "no_scm": True, "site_cache_dir": str(cache)}
        local["cache"] = {"dir": str(cache)}
        local["remote"] = {remote.name: {"url": remote.address}}


def _reproduce(place: Place, last: str) -> str:
    """Run the stages up to ``last``; return the line of the one that fails, empty if none does."""
    done = run_bound(
        *DVC, "repro", "--pull", last, folder=place.folder, environment=place.environment
    )
    return failure(done.stdout + done.stderr).reason if done.returncode else ""


def _dvc(place: Place, *arguments: str) -> None:
    """Run a dvc command that reads or writes the remote.

    Raises:
        ServerError: it fails.
    """
    done = run_bound(*DVC, *arguments, folder=place.folder, environment=place.environment)
    if done.returncode:
        words = " ".join(done.stderr.split())
        raise ServerError(f"`dvc {' '.join(arguments)}` fails: {words}")
