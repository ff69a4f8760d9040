"""DVC's queue of experiments, and the worker that runs what is in it.

Changes go through dvc's commands. The state is read through DVC's own objects: `dvc queue status`
has no form for machines, and a process every second would disturb what the experiments measure.
"""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from onnxpress.errors import UserError
from onnxpress.pipeline.external import git, run_apart, with_own_programs
from onnxpress.pipeline.outputs import PARAMS

RUNNING, QUEUED, FAILED, SUCCESS = "Running", "Queued", "Failed", "Success"
EXPERIMENTS = Path(".dvc/tmp/exps")
WORKER_LOG = EXPERIMENTS / "celery" / "dvc-exp-worker-1.out"
START_SECONDS = 30.0
END_SECONDS = 20.0
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Task:
    """An experiment in the queue."""

    state: str
    """In DVC's words."""

    revision: str
    """The commit that holds its params."""


def tasks() -> dict[str, Task]:
    """Return every experiment in the queue by its name.

    DVC reads a state after the other while a worker moves experiments on, from queued to running to
    ended. Read in this order, one that moves meanwhile is met twice; in another it can be missed,
    as in `dvc queue status`.

    Raises:
        UserError: this folder has no DVC repository with a commit.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    logging.getLogger("kombu").setLevel(logging.ERROR)  # "No hostname was supplied"
    try:
        with Repo() as repo:
            queue = repo.experiments.celery_queue
            queued, running = list(queue.iter_queued()), list(queue.iter_active())
            failed = [done.entry for done in queue.iter_failed()]
            measured = [done.entry for done in queue.iter_success()]
    except DvcException as error:
        raise UserError(
            f"DVC cannot read its queue ({error}); run from the repository's folder"
        ) from error
    listed = {SUCCESS: measured, FAILED: failed, QUEUED: queued, RUNNING: running}
    return {
        str(entry.name): Task(state, entry.stash_rev)
        for state, entries in listed.items()
        for entry in entries
    }


def put(name: str, overrides: Iterable[str]) -> None:
    """Queue the working tree with changed params as an experiment.

    Raises:
        UserError: DVC refuses.
    """
    settings = [word for override in overrides for word in ("--set-param", f"{PARAMS}:{override}")]
    _dvc("exp", "run", "--queue", "--name", name, *settings)


def remove(names: Iterable[str]) -> None:
    """Remove experiments that do not run from the queue."""
    if wanted := list(names):
        _dvc("queue", "remove", *wanted)


def give_up(name: str, revision: str) -> None:
    """Remove an experiment whose worker has died; it would be ``Running`` for ever.

    DVC would send a signal to the process id on record, which may be another program's by now. So
    the record is removed first.
    """
    for orphan in _processes("exec-run", revision):
        _ended(orphan)
    record = _record(revision)
    with suppress(OSError, ValueError, KeyError):
        text = (record / f"{revision}.run").read_text(encoding="utf-8")
        folder = Path(json.loads(text)["root_dir"])
        if folder.parent == EXPERIMENTS.resolve():
            shutil.rmtree(folder)
    shutil.rmtree(record, ignore_errors=True)
    _dvc("queue", "kill", "--force", name)
    remove([name])


def log(revision: str) -> str:
    """Return what the stages of an experiment have printed; empty if none has started."""
    try:
        return (_record(revision) / f"{revision}.out").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def setup_error(revision: str) -> str:
    """Return why DVC could not set a failed experiment up; empty if that is not why it failed."""
    from dvc.repo import Repo

    with Repo() as repo:
        app = repo.experiments.celery_queue.celery
        for message in app.iter_processed():
            (entry, *_), *_ = message.decode()
            if entry["stash_rev"] == revision:
                error = app.AsyncResult(message.headers["id"]).result
                return f"{type(error).__name__}: {error}" if error else ""
    return ""


def unlock() -> None:
    """Remove the locks that a killed DVC has left on the git refs that only its queue uses."""
    folder = git("rev-parse", "--git-common-dir", cure="sweeps need a git repository").strip()
    for lock in Path(folder, "refs/exps/celery").glob("*.lock"):
        lock.unlink()


def metrics() -> dict[str, dict[str, float]]:
    """Return the metrics of every finished experiment that starts from HEAD, by its name."""
    commits = json.loads(_dvc("exp", "show", "--json", "--hide-queued", "--hide-failed"))
    experiments = [item for commit in commits[1:] for item in commit["experiments"] or []]
    return {str(item["name"]): _metrics(item["revs"][0]) for item in experiments if _finished(item)}


def start_worker(sweep: str) -> psutil.Process:
    """Start a worker in the background; it runs what is queued, one experiment after another.

    Args:
        sweep: what the MLflow runs of these experiments share.

    Raises:
        UserError: there is no worker after a while.
    """
    _dvc("queue", "start", "--jobs", "1", ONNXPRESS_SWEEP=sweep)
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if found := worker():
            return found
        time.sleep(POLL_SECONDS)
    raise UserError(f"`dvc queue start` started no worker; {WORKER_LOG} says why")


def worker() -> psutil.Process | None:
    """Return the worker of this repository, if one is alive."""
    return next(_processes("queue-worker"), None)


def alive(process: psutil.Process) -> bool:
    """Whether a process still runs; the dead stay listed where init collects no orphans."""
    with suppress(psutil.NoSuchProcess):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


def stop_worker(process: psutil.Process) -> None:
    """End a worker at once; an experiment that it runs ends too, and counts as failed."""
    with suppress(psutil.NoSuchProcess):
        process.terminate()  # it starts no other experiment
        until = time.monotonic() + END_SECONDS
        while alive(process) and time.monotonic() < until:
            for running in process.children():  # one may be about to start
                running.kill()
            time.sleep(POLL_SECONDS)
        process.kill()


def _ended(process: psutil.Process) -> None:
    """Kill a process, and wait until it has ended."""
    with suppress(psutil.NoSuchProcess):
        process.kill()
        until = time.monotonic() + END_SECONDS
        while alive(process) and time.monotonic() < until:
            time.sleep(POLL_SECONDS)


def _record(revision: str) -> Path:
    return EXPERIMENTS / "run" / revision


def _finished(experiment: dict[str, Any]) -> bool:
    """Whether the metrics are the experiment's; DVC shows those of HEAD until it has finished."""
    executor = experiment.get("executor") or {"state": "success"}
    return bool(executor["state"] == "success")


def _metrics(revision: dict[str, Any]) -> dict[str, float]:
    files = ((revision.get("data") or {}).get("metrics") or {}).values()
    return {key: value for file in files for key, value in (file.get("data") or {}).items()}


def _processes(*words: str) -> Iterator[psutil.Process]:
    """Yield the processes of dvc in this folder whose command names all of ``words``."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            command = " ".join(process.cmdline())
            named = all(word in command for word in ("dvc", *words))
            if named and Path(process.cwd()) == Path.cwd():
                yield process


def _dvc(*command: str, **variables: str) -> str:
    """Run a dvc command and return its stdout.

    It runs in a session of its own: queueing stashes the working tree away for a moment, and an
    interrupt must not leave it there.

    Raises:
        UserError: it failed; DVC's line is in the message.
    """
    environment = {**with_own_programs(), "DVC_NO_ANALYTICS": "1", **variables}
    done = run_apart("dvc", *command, environment=environment)
    if done.returncode:
        lines = done.stderr.splitlines()
        errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR")]
        reason = errors[0] if errors else " ".join(lines)
        raise UserError(f"`dvc {' '.join(command[:3])}` failed: {reason}")
    return done.stdout
