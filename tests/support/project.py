"""A clone of the working tree in a folder of its own, driven by real DVC and real MLflow."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock

from tests.conftest import ROOT, changed, default_params, write_params

OUTPUTS_OF = {
    "prepare": "train.parquet",
    "train": "model.joblib",
    "convert": "model.onnx",
    "quantize": "model_quantized.onnx",
    "evaluate": "predictions.csv",
    "benchmark": "latency.json",
    "plot": "plots/errors.png",
    "gate": "gate.json",
    "package": "serving/digest.json",
    "publish": "mlflow_run.json",
}
"""An output of each stage, whose time tells whether the stage has run."""

CHAIN = list(OUTPUTS_OF)
"""The stages in the order of dvc.yaml."""

QUICK: dict[str, Any] = {
    "train__params": {"n_estimators": 10},
    "evaluate__probe_rows": 100,
    "benchmark__n_iterations": 20,
    "benchmark__max_seconds": 1,
    "benchmark__batch_sizes": [1],
    "gate__min_quantized_vs_onnx_speedup": None,
    "gate__max_drop": {"score": None, "recall_worst_loss": None},
}
"""Keys of params.yaml that make the chain short.

How fast or good the models are is not what these tests are about.
"""


@dataclass(frozen=True)
class Project:
    """A folder with a git and a DVC repository in it."""

    folder: Path

    def run(
        self, *command: str, check: bool = True, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as a user does."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment() | variables,
            check=False,
            capture_output=True,
            text=True,
        )
        assert not check or done.returncode == 0, (
            f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        return done

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """Start a server in a process group of its own."""
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def environment(self) -> dict[str, str]:
        """Return a user's environment: this Python first on PATH, nothing set for MLflow or DVC."""
        others = ("MLFLOW_", "DVC_", "PYTHON", "GIT_", "MAKE", "MFLAGS")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(others)}
        return {
            **kept,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "DVC_SITE_CACHE_DIR": str(self.folder.parent / "dvc-site-cache"),
            "GIT_AUTHOR_NAME": "A",
            "GIT_AUTHOR_EMAIL": "a@example.org",
            "GIT_COMMITTER_NAME": "A",
            "GIT_COMMITTER_EMAIL": "a@example.org",
            "OMP_NUM_THREADS": "1",
        }

    def change(self, **overrides: Any) -> None:
        """Change keys of params.yaml, given as ``section__key=value``."""
        content = yaml.safe_load((self.folder / "params.yaml").read_text(encoding="utf-8"))
        write_params(self.folder, changed(content, **overrides))

    def times(self) -> dict[str, int]:
        """When each stage's output was written, in nanoseconds."""
        return {
            stage: (self.folder / "outputs" / name).stat().st_mtime_ns
            for stage, name in OUTPUTS_OF.items()
            if (self.folder / "outputs" / name).exists()
        }

    def repro(self, *arguments: str) -> list[str]:
        """``dvc repro``; returns the stages that ran."""
        before = self.times()
        self.run("dvc", "repro", "-q", *arguments)
        return [stage for stage, time in self.times().items() if time != before.get(stage)]

    def mlflow_runs(self) -> int:
        """Published contents in the embedded MLflow store, counted in its database.

        Parent runs of sweeps have none.
        """
        with sqlite3.connect(self.folder / "mlflow.db") as database:
            return int(
                database.execute(
                    "select count(*) from tags where key = 'content_digest'"
                ).fetchone()[0]
            )

    def copy(self, folder: Path) -> Project:
        """The same project elsewhere, with its cache and history."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Project(folder)


def clone(folder: Path, **overrides: Any) -> Project:
    """The files that git tracks or would track, committed in a new repository in ``folder``."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    write_params(folder, default_params(**{**QUICK, **overrides}))
    project = Project(folder)
    project.run("git", "init", "-q", "-b", "main")
    project.run("git", "add", "-A")
    project.run("git", "commit", "-q", "-m", "clone")
    return project


RUN_ONCE = ("convert", "gate")
"""Stages up to which the chain runs once for all tests."""


def finished_clone(folder: Path, chains: Path, last_stage: str = "publish") -> Project:
    """A clone whose chain has run once, committed with its lock.

    What the stages up to the last of ``RUN_ONCE`` make is the same in every clone, so it is copied
    from the folder ``chains``, which the fixture of this name gives. A run of MLflow is not: its
    addresses name the clone's folder.
    """
    known = [stage for stage in RUN_ONCE if CHAIN.index(stage) <= CHAIN.index(last_stage)]
    with FileLock(chains / "lock"):
        ready = _run_up_to(chains, known)
    project = ready.copy(folder)
    if last_stage not in RUN_ONCE:
        project.run("dvc", "repro", "-q", last_stage)
    project.run("git", "add", "-A")
    project.run("git", "commit", "-q", "-m", "first run")
    return project


def _run_up_to(chains: Path, stages: list[str]) -> Project:
    """The project in ``chains`` whose chain has run up to the last of ``stages``."""
    *before, last = stages
    ready = Project(chains / last / "project")
    if not ready.folder.exists():
        making = chains / last / "making" / "project"  # stays there if a stage fails
        shutil.rmtree(making.parent, ignore_errors=True)
        project = _run_up_to(chains, before).copy(making) if before else clone(making)
        project.run("dvc", "repro", "-q", last)
        making.rename(ready.folder)
    return ready
