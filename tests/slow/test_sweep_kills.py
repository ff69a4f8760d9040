"""DVC's queue as a sweep reads it and runs it, in a small repository, and what a kill leaves."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.repo.experiments.queue.celery import LocalCeleryQueue

from onnxpress.commands import mend
from onnxpress.commands.sweep import queue, runner
from onnxpress.commands.sweep.points import Point

STAGE = """
stages:
  train:
    cmd: exec cp params.yaml out.yaml
    params: [seed]
    metrics: [out.yaml: {cache: false}]
"""


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A git and DVC repository with one stage."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / ".dvc" / "site-cache"))
    for variable in ("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"):
        monkeypatch.setenv(variable, "A")
    for variable in ("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"):
        monkeypatch.setenv(variable, "a@example.org")
    git("init", "-q", "-b", "main")
    subprocess.run(["dvc", "init", "-q"], check=True)
    Path(".gitignore").write_text("/.dvc/site-cache\n")
    Path("dvc.yaml").write_text(STAGE)
    Path("params.yaml").write_text("seed: 1\n")
    git("add", "-A")
    git("commit", "-q", "-m", "start")
    yield tmp_path
    if worker := queue.worker():
        queue.stop_worker(worker)


def git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


def points(*names: str) -> dict[str, Point]:
    return {name: Point(name, {}, {"seed": seed}) for seed, name in enumerate(names, 2)}


def test_an_experiment_that_a_worker_takes_meanwhile_is_not_missed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runner.enqueue(points("moving"))
    assert queue.tasks()["moving"].state == queue.QUEUED
    broker = queue.EXPERIMENTS / "celery" / "broker"

    def with_move(read: Any) -> Any:
        def after(self: LocalCeleryQueue) -> Iterator[Any]:
            yield from read(self)
            for message in (broker / "in").glob("*.celery.msg"):
                message.rename(broker / "processed" / message.name)

        return after

    for name in ("iter_queued", "iter_active"):
        monkeypatch.setattr(LocalCeleryQueue, name, with_move(getattr(LocalCeleryQueue, name)))
    assert "moving" in queue.tasks()
    assert queue.tasks()["moving"].state == queue.RUNNING


@pytest.mark.parametrize(("kills", "runs"), [(1, 2), (9, runner.STARTS)])
def test_an_experiment_that_is_killed_is_run_again_a_few_times(
    repository: Path, kills: int, runs: int
) -> None:
    started = repository / ".dvc" / "started"
    command = f"echo >> {started}; [ $(wc -l < {started}) -gt {kills} ] || kill -9 $PPID; echo > o"
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": {"train": {"cmd": command}}}))
    assert list(runner.ended(points("killed"), "parent")) == ["killed"]
    assert len(started.read_text()) == runs
    if kills < runner.STARTS:
        assert queue.tasks()["killed"].state == queue.SUCCESS
    else:
        outcome = runner.outcomes(points("killed"))["killed"]
        assert outcome.reason.startswith("was interrupted: > echo >> ")


def test_a_failure_before_any_stage_is_told_in_the_workers_words(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "STARTS", 1)
    runner.enqueue(points("locked"))
    (repository / ".git/refs/exps/celery/stash.lock").touch()
    assert list(runner.ended(points("locked"), "parent")) == ["locked"]
    outcome = runner.outcomes(points("locked"))["locked"]
    assert outcome.reason.startswith("was interrupted: FileLocked: ")


def test_locks_that_a_kill_has_left_are_removed(repository: Path) -> None:
    runner.enqueue(points("sweep-1"))
    lock = repository / ".git/refs/exps/celery/stash.lock"
    lock.touch()
    (queue.EXPERIMENTS / "rwlock").write_text('{"write": ')
    mend.main()
    runner.clear("sweep", points("sweep-1"))
    assert not lock.exists()
    assert list(runner.ended(points("sweep-1"), "parent")) == ["sweep-1"]
    assert queue.tasks()["sweep-1"].state == queue.SUCCESS
