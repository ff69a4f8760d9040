"""A sweep through DVC's queue, from wherever it stands: new, interrupted, killed with its worker, or finished."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from onnxpress.commands.sweep import queue
from onnxpress.commands.sweep.outcomes import Outcome, failure
from onnxpress.commands.sweep.overrides import overrides
from onnxpress.commands.sweep.points import Point, Sweep
from onnxpress.errors import UserError
from onnxpress.pipeline.console import progress, say
from onnxpress.pipeline.outputs import PARAMS
from onnxpress.pipeline.yaml_file import read_yaml

POLL_SECONDS = 2.0
STARTS = 3
"""Workers that may end in a row without finishing anything: one can take the word to stop that its predecessor was sent."""
Named = dict[str, Point]


def run(sweep: Sweep, parent: str) -> dict[str, Outcome]:
    """The outcome of every point by its name; what has no settled outcome yet is run.

    Args:
        sweep: the points.
        parent: name of the MLflow run that their runs are children of.

    Raises:
        UserError: the queue is used for something else, or DVC does not run it.
    """
    points = {point.name: point for point in sweep.points}
    clear(sweep.name, points)
    known = outcomes(points)
    left = {
        name: point
        for name, point in points.items()
        if name not in known or not known[name].settled
    }
    say(
        f"sweep {sweep.name}: {len(points)} points, {len(points) - len(left)} known, {len(left)} to run"
    )
    try:
        for number, name in enumerate(progress(ended(left, parent), len(left), "experiments"), 1):
            say(f"{number} of {len(left)} ended: {points[name]}")
    finally:
        if left and (worker := queue.worker()):
            queue.stop_worker(worker)
    return dict.fromkeys(points, Outcome({}, "was taken out of the queue")) | known | outcomes(left)


def clear(prefix: str, points: Named) -> None:
    """See that the queue is this sweep's alone, and take out what the sweep no longer has.

    Raises:
        UserError: it holds other experiments that wait or run.
    """
    waiting = {
        name: task
        for name, task in queue.tasks().items()
        if task.state in {queue.RUNNING, queue.QUEUED}
    }
    worker = queue.worker()
    running = [name for name, task in waiting.items() if task.state == queue.RUNNING and worker]
    for name in waiting:
        if not name.startswith(f"{prefix}-") or (name in running and name not in points):
            raise UserError(
                f"DVC's queue holds the experiment {name!r}, which is not of this sweep; run it with `dvc queue start`, "
                "or take it out with `dvc queue remove --queued` or `dvc queue stop --kill`"
            )
    if worker and not running:
        queue.stop_worker(worker)  # it waits for work, with the environment of another sweep
    if not worker:
        give_up_dead(waiting)
    queue.remove(
        name for name, task in waiting.items() if task.state == queue.QUEUED and name not in points
    )


def outcomes(points: Named) -> dict[str, Outcome]:
    """The outcomes of those points that have one."""
    measured, tasks = queue.metrics() if points else {}, queue.tasks()
    found = {name: Outcome(measured[name]) for name in points if measured.get(name)}
    failed = [
        name
        for name in points
        if name in tasks and tasks[name].state == queue.FAILED and name not in found
    ]
    return found | {name: failure(queue.said(tasks[name].revision)) for name in failed}


def ended(points: Named, parent: str) -> Iterator[str]:
    """Run the points, and yield the name of each as it ends.

    Raises:
        UserError: workers end before their work.
    """
    tasks = queue.tasks()
    queue.remove(
        name
        for name in points
        if name in tasks and tasks[name].state in {queue.FAILED, queue.SUCCESS}
    )
    left, starts, worker = dict(points), 0, None
    while left:
        if worker is None or not queue.alive(worker):
            starts += 1
            if starts > STARTS:
                raise UserError(
                    f"DVC's worker has ended {STARTS} times before its work; {queue.WORKER_LOG} says why"
                )
            worker = queue.worker()
            if worker is None:
                give_up_dead(queue.tasks())
            enqueue(left)
            worker = worker or queue.start_worker(parent)
        time.sleep(POLL_SECONDS)
        tasks = queue.tasks()
        for name in [
            name
            for name in left
            if name not in tasks or tasks[name].state in {queue.FAILED, queue.SUCCESS}
        ]:
            starts = 0
            del left[name]
            yield name


def enqueue(points: Named) -> None:
    """Have every point in the queue once."""
    base, tasks = read_yaml(PARAMS, "the parameters"), queue.tasks()
    missing = [name for name in points if name not in tasks]
    for name in progress(missing, len(missing), "queueing"):
        queue.put(name, overrides(base, points[name].content))


def give_up_dead(tasks: Mapping[str, queue.Task]) -> None:
    """Take what seems to run out of the queue, when no worker is alive: `dvc exp show` may fail on it."""
    for name, task in tasks.items():
        if task.state == queue.RUNNING:
            queue.give_up(name, task.revision)
