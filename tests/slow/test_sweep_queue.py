"""A sweep under real DVC, MLflow and Dask: killed with all its processes, then continued."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.clusters import local
from tests.support.project import CHAIN, Project, clone

__all__ = ["local"]

MAKE = ("make", "--no-print-directory", "-o", ".venv/installed", "sweep")
POINTS = """
list:
  - {quantize.method: none, gate.max_size_ratio: 1.0}
  - {quantize.method: none, gate.max_size_ratio: 0.0001}
  - {quantize.method: forest, gate.max_size_ratio: 1.0}
"""
WAIT_SECONDS = 300


@dataclass(frozen=True)
class Story:
    """A sweep that was killed after two of its three points, and run again."""

    project: Project
    second_at_once: subprocess.CompletedProcess[str]
    tasks_when_killed: dict[str, str]
    resumed: subprocess.CompletedProcess[str]
    tasks: dict[str, str]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, local: Any) -> Story:
    folder = tmp_path_factory.mktemp("sweep") / "project"
    project = clone(
        folder,
        train__params={"n_estimators": 5},
        benchmark__n_iterations=10,
        benchmark__max_seconds=0.3,
        engine__scheduler=local.scheduler_address,
    )
    project.run("dvc", "remote", "add", "--default", "store", "../store")
    project.run("git", "commit", "-q", "-a", "-m", "a remote")
    (folder / "sweep.yaml").write_text(POINTS, encoding="utf-8")
    with (folder.parent / "said.txt").open("w+") as said:
        sweep = subprocess.Popen(
            MAKE, cwd=folder, env=project.environment(), stdout=said, start_new_session=True
        )
        wait_for(folder.parent / "said.txt", "3 to run", sweep)
        second = project.run(*MAKE, check=False)
        wait_for(folder.parent / "said.txt", "2 of 3 ended", sweep)
        killed = tasks(project)
        kill_all_in(folder)
        sweep.wait()
    return Story(project, second, killed, project.run(*MAKE), tasks(project))


def wait_for(log: Path, text: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + WAIT_SECONDS
    while text not in log.read_text(encoding="utf-8"):
        assert process.poll() is None, (
            f"the sweep ended without {text!r}: {log.read_text(encoding='utf-8')}"
        )
        assert time.monotonic() < until, f"no {text!r} after {WAIT_SECONDS} s"
        time.sleep(0.2)


def kill_all_in(folder: Path) -> None:
    """SIGKILL whatever works in a folder, as the end of a machine does."""
    while found := list(processes_in(folder)):
        for process in found:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        time.sleep(0.1)


def processes_in(folder: Path) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if Path(process.cwd()).is_relative_to(folder):
                yield process


def tasks(project: Project) -> dict[str, str]:
    """State and revision of each experiment in the queue by its name, from `dvc queue status`."""
    rows = re.findall(
        r"^(\w{7})\s+(\S+)\s.*\s(\w+)$", project.run("dvc", "queue", "status").stdout, re.MULTILINE
    )
    return {name: f"{state} {revision}" for revision, name, state in rows}


def rows(printed: str) -> list[list[str]]:
    lines = [line for line in printed.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def test_two_sweeps_at_once_are_told_in_one_line(story: Story) -> None:
    line, of_make = story.second_at_once.stderr.splitlines()
    assert line == "sweep: another sweep runs in this folder; wait for its end, or interrupt it"
    assert of_make.startswith("make: ***")


def test_finished_points_are_not_run_again_and_the_killed_one_is(story: Story) -> None:
    ended = {
        name: task
        for name, task in story.tasks_when_killed.items()
        if task.startswith(("Success", "Failed"))
    }
    assert len(ended) == 2
    assert "3 points, 2 known, 1 to run" in story.resumed.stdout
    assert ended.items() <= story.tasks.items()
    assert sorted(task.split()[0] for task in story.tasks.values()) == [
        "Failed",
        "Success",
        "Success",
    ]


def test_the_table_has_the_measured_points_and_failed_ones_below_with_their_gate(
    story: Story,
) -> None:
    assert [row[2:4] for row in rows(story.resumed.stdout)] == [["forest", "1.0"], ["none", "1.0"]]
    (failed,) = [line for line in story.resumed.stdout.splitlines() if line.startswith("failed: ")]
    assert failed.startswith("failed: quantize.method=none, gate.max_size_ratio=0.0001: ")
    assert "gate: 1 of 3 gates failed" in failed


def test_results_are_children_of_one_parent_run(story: Story) -> None:
    with sqlite3.connect(story.project.folder / "mlflow.db") as database:
        tags = dict[str, list[Any]]()
        for key, run, value in database.execute("select key, run_uuid, value from tags"):
            tags.setdefault(key, []).append((run, value))
    ((parent, name),) = tags["sweep"]
    assert re.fullmatch(r"sweep on [0-9a-f]{7}", name)
    assert [value for _, value in tags["mlflow.parentRunId"]] == [parent, parent]
    assert {run for run, _ in tags["mlflow.parentRunId"]} == {
        run for run, _ in tags["content_digest"]
    }


def test_what_the_cluster_has_made_is_not_made_again_and_latency_is_measured_here(
    story: Story,
) -> None:
    logs = [
        path.read_text(encoding="utf-8")
        for path in story.project.folder.glob(".dvc/tmp/exps/run/*/*.out")
    ]
    assert len(logs) == 3
    ran = {stage for log in logs for stage in CHAIN if f"Running stage '{stage}'" in log}
    assert ran == {"benchmark", "plot", "gate", "package", "publish"}


def test_the_workspace_is_as_it_was_and_nothing_is_left_running(story: Story) -> None:
    assert story.project.run("git", "status", "--porcelain").stdout == " M sweep.yaml\n"
    assert story.project.run("git", "branch", "--show-current").stdout == "main\n"
    assert [process.cmdline() for process in processes_in(story.project.folder)] == []
    assert list(story.project.folder.glob(".dvc/tmp/exps/tmp*")) == []
    assert (
        story.project.times() == {}
    )  # every output is in the cache, and in the experiments' commits


def test_a_finished_sweep_runs_nothing_and_answers_in_json(story: Story) -> None:
    done = story.project.run("python", "-m", "onnxpress", "sweep", "--json")
    assert "3 points, 3 known, 0 to run" in done.stderr
    points = json.loads(done.stdout)["points"]
    assert [(point["state"], point["exit_code"]) for point in points] == [
        ("measured", None),
        ("failed", 3),
        ("measured", None),
    ]
    assert points[2]["size_kb"] < points[0]["size_kb"]
    assert points[2]["on_front"] is True


def test_other_experiments_in_the_queue_are_not_run_in_passing(story: Story) -> None:
    story.project.run("dvc", "exp", "run", "-q", "--queue", "--name", "mine", "-S", "seed=7")
    done = story.project.run(*MAKE, check=False)
    assert done.stderr.startswith(
        "sweep: DVC's queue holds the experiment 'mine', which is not of this sweep"
    )
    assert done.stdout == ""


def test_data_that_git_does_not_track_is_missed_before_anything_is_queued(story: Story) -> None:
    (story.project.folder / "data" / "own.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    (story.project.folder / "own.yaml").write_text(
        "grid: {data.source: [data/own.csv]}", encoding="utf-8"
    )
    done = story.project.run(*MAKE, "SWEEP=own.yaml", check=False)
    assert done.stderr.startswith(
        "sweep: git does not track data/own.csv, so experiments, which run in a copy, lack it"
    )
