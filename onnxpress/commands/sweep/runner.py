"""A sweep through DVC's queue, from any state: new, interrupted, killed, or finished."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from onnxpress.commands.sweep import queue
from onnxpress.commands.sweep.ahead import run_ahead
from onnxpress.commands.sweep.kept import kept
from onnxpress.commands.sweep.outcomes import Outcome, failure
from onnxpress.commands.sweep.overrides import overrides
from onnxpress.commands.sweep.points import Point, Sweep
from onnxpress.commands.sweep.workspace import unchanged
from onnxpress.errors import UserError
from onnxpress.pipeline.console import progress, say
from onnxpress.pipeline.outputs import PARAMS
from onnxpress.pipeline.yaml_file import read_yaml

POLL_SECONDS = 2.0
STARTS = 3
"""Workers that may end in a row without a result; one can receive its predecessor's stop signal.

As often an experiment may fail before any of its stages has ended.
"""
ENDED = {queue.FAILED, queue.SUCCESS}
Named = dict[str, Point]


def run(sweep: Sweep, parent: str, scheduler: str | None = None) -> dict[str, Outcome]:
    """Run the points that have no settled outcome yet; return the outcomes of all by name.

    Args:
        sweep: the points.
        parent: name of the MLflow run that their runs are children of.
        scheduler: address of the cluster whose workers run what they can.

    Raises:
        UserError: the queue is used for something else, DVC does not run it, or code or data change
            while the workers run points.
        ServerError: the cluster fails.
    """
    points = {point.name: point for point in sweep.points}
    clear(sweep.name, points)
    known = outcomes(points)
    left = {
        name: point
        for name, point in points.items()
        if name not in known or not known[name].settled
    }
    counts = f"{len(points)} points, {len(points) - len(left)} known, {len(left)} to run"
    say(f"sweep {sweep.name}: {counts}")
    if left and scheduler:
        with unchanged():
            run_ahead([*left.values()], scheduler)
    try:
        for number, name in enumerate(progress(ended(left, parent), len(left), "experiments"), 1):
            say(f"{number} of {len(left)} ended: {points[name]}")
    finally:
        if left and (worker := queue.worker()):
            queue.stop_worker(worker)
    return dict.fromkeys(points, Outcome({}, "was taken out of the queue")) | known | outcomes(left)


def clear(prefix: str, points: Named) -> None:
    """See that the queue is this sweep's alone, and remove what the sweep no longer has.

    Raises:
        UserError: it holds other experiments that wait or run.
    """
    tasks = queue.tasks()
    waiting = {name: task for name, task in tasks.items() if task.state not in ENDED}
    worker = queue.worker()
    running = [name for name, task in waiting.items() if task.state == queue.RUNNING and worker]
    for name in waiting:
        if not name.startswith(f"{prefix}-") or (name in running and name not in points):
            raise UserError(
                f"DVC's queue holds the experiment {name!r}, which is not of this sweep; "
                "run it with `dvc queue start`, "
                "or take it out with `dvc queue remove --queued` or `dvc queue stop --kill`"
            )
    if worker and not running:
        queue.stop_worker(worker)  # it is idle, with the environment of another sweep
    if not worker:
        queue.unlock()
        give_up_dead(waiting)
    queue.remove(
        name for name, task in waiting.items() if task.state == queue.QUEUED and name not in points
    )


def outcomes(points: Named) -> dict[str, Outcome]:
    """Return the outcomes of those points that have one, by name."""
    measured, tasks = queue.metrics() if points else {}, queue.tasks()
    found: dict[str, Outcome] = {}
    for name in points:
        if measured.get(name):
            found[name] = Outcome(measured[name])
        elif name in tasks and tasks[name].state == queue.FAILED:
            found[name] = failed(tasks[name])
    return found


def failed(task: queue.Task) -> Outcome:
    """Return the outcome of an experiment that has failed."""
    return failure(queue.log(task.revision), queue.setup_error(task.revision))


def ended(points: Named, parent: str) -> Iterator[str]:
    """Run the points, and yield the name of each as it ends.

    One that fails before any of its stages has ended is run again: usually a kill, or what a kill
    has left, is at fault.

    Raises:
        UserError: workers end before their work.
    """
    tasks = queue.tasks()
    queue.remove(name for name in points if name in tasks and tasks[name].state in ENDED)
    left, starts, worker = dict(points), 0, None
    runs = dict.fromkeys(points, 1)
    while left:
        if worker is None or not queue.alive(worker):
            starts += 1
            if starts > STARTS:
                raise UserError(
                    f"DVC's worker has ended {STARTS} times before its work; "
                    f"{queue.WORKER_LOG} says why"
                )
            worker = queue.worker()
            if worker is None:
                give_up_dead(queue.tasks())
            enqueue(left)
            worker = worker or queue.start_worker(parent)
        time.sleep(POLL_SECONDS)
        tasks = queue.tasks()
        over = [name for name in left if name not in tasks or tasks[name].state in ENDED]
        for name in over:
            starts = 0
            if name in tasks and runs[name] < STARTS and unended(tasks[name]):
                runs[name] += 1
                queue.remove([name])
                enqueue({name: left[name]})
            else:
                del left[name]
                yield name


def unended(task: queue.Task) -> bool:
    """Whether a task has failed before any of its stages has ended."""
    return task.state == queue.FAILED and failed(task).exit_code is None


def enqueue(points: Named) -> None:
    """Have every point in the queue once."""
    base, tasks = read_yaml(PARAMS, "the parameters"), queue.tasks()
    missing = [name for name in points if name not in tasks]
    with kept():
        for name in progress(missing, len(missing), "queueing"):
            queue.put(name, overrides(base, points[name].content))


def give_up_dead(tasks: Mapping[str, queue.Task]) -> None:
    """Remove what seems to run, when no worker is alive: `dvc exp show` may fail on it."""
    for name, task in tasks.items():
        if task.state == queue.RUNNING:
            queue.give_up(name, task.revision)
