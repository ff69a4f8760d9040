"""A fresh clone of HEAD in surroundings of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from onnxpress.errors import UserError
from onnxpress.pipeline.external import Running, git, start
from onnxpress.pipeline.files import write_json
from onnxpress.pipeline.outputs import GATE

LAST_DETERMINISTIC_STAGE = "package"
LAST_BEFORE_TIMES = "evaluate"
TIMED_STAGES = ("benchmark", "plot", "gate")
"""Their outputs hold or show times, which no other run has. Of these, package reads only
gate.json, and of that only whether a gate has failed."""
CURE = "run in a git repository with a commit"
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""Fits that use BLAS (MLP, logistic regression, PCA) depend on the number of threads."""
CPU_BASELINE = {
    "OPENBLAS_CORETYPE": "Haswell",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
}
"""Makes BLAS-based fits agree between CPU types: kernels that every x86-64 CPU with AVX2 has."""


@dataclass(frozen=True)
class Clone:
    """A clone's folder and the environment that its commands run in."""

    folder: Path
    environment: Mapping[str, str]

    def start(self, last_stage: str) -> Running:
        """Start every stage up to ``last_stage``, whatever the cache says."""
        return self._start("--force", last_stage)

    def start_package(self) -> Running:
        """Start package alone, as if the gates had passed: they limit times, too."""
        write_json(self.folder / GATE, {})
        return self._start("--force", "--single-item", LAST_DETERMINISTIC_STAGE)

    def _start(self, *arguments: str) -> Running:
        command = ("repro", *arguments)
        return start("dvc", *command, folder=self.folder, environment=self.environment)


def run_chain(clones: Sequence[Clone], last_stage: str) -> None:
    """Run the chain up to ``last_stage`` in all clones, without the stages that measure times.

    Raises:
        UserError: a stage failed; its last lines are in the message.
    """
    if last_stage == LAST_DETERMINISTIC_STAGE:
        _run_side_by_side([partial(clone.start, LAST_BEFORE_TIMES) for clone in clones])
        _run_side_by_side([clone.start_package for clone in clones])
    else:
        _run_side_by_side([partial(clone.start, last_stage) for clone in clones])


def _run_side_by_side(starts: Sequence[Callable[[], Running]]) -> None:
    """Start processes, one in each clone, and wait for all.

    Raises:
        UserError: a stage failed; its last lines are in the message.
    """
    with ExitStack() as stack:
        running = [stack.enter_context(begin()) for begin in starts]
        for process in running:
            stack.callback(process.kill)  # if another fails, or this process is interrupted
        for process in running:
            _, errors = process.communicate()
            if process.returncode:
                last = " | ".join(errors.splitlines()[-3:])
                raise UserError(f"the chain fails in a fresh clone of HEAD: {last}")


def head() -> str:
    """Return the commit that is checked.

    Raises:
        UserError: this folder has no git repository with a commit.
    """
    return git("rev-parse", "HEAD", cure=CURE).strip()


def clone(folder: Path, surroundings: Mapping[str, str]) -> Clone:
    """Make a clone of HEAD in ``folder``.

    Its environment has nothing of this one's that could make two runs agree.
    """
    git("clone", "--quiet", "--no-hardlinks", ".", str(folder), cure=CURE)
    dropped = ("DVC_", "MLFLOW_", "PYTHON", "GIT_")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(dropped)}
    own = {"DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(folder.parent / "site-cache")}
    return Clone(folder, {**kept, **ONE_THREAD, **own, **surroundings})
