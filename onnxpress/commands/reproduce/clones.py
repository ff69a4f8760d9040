"""A fresh clone of HEAD in surroundings of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from onnxpress.errors import UserError
from onnxpress.pipeline.external import Running, git, start

LAST_DETERMINISTIC_STAGE = "evaluate"
CURE = "run in a git repository with a commit"
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""Fits that use BLAS (MLP, logistic regression, PCA) depend on the number of threads; trees and boosting do not."""
CPU_BASELINE = {
    "OPENBLAS_CORETYPE": "Haswell",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
}
"""What makes BLAS-based fits agree between CPU types: the kernels that every x86-64 CPU with AVX2 has."""


@dataclass(frozen=True)
class Clone:
    """A clone's folder and the environment that its commands run in."""

    folder: Path
    environment: Mapping[str, str]

    def start(self, last_stage: str) -> Running:
        """Start every stage up to ``last_stage``, whatever the cache says."""
        command = ("repro", "--force", last_stage)
        return start("dvc", *command, folder=self.folder, environment=self.environment)


def run_side_by_side(clones: Sequence[Clone], last_stage: str) -> None:
    """Run the chain up to ``last_stage`` in all clones at once.

    Raises:
        UserError: a stage failed; its last lines are in the message.
    """
    with ExitStack() as stack:
        running = [stack.enter_context(clone.start(last_stage)) for clone in clones]
        for process in running:
            stack.callback(
                process.kill
            )  # no clone runs on when another fails, or when this process is interrupted
        for process in running:
            _, told = process.communicate()
            if process.returncode:
                raise UserError(
                    f"the chain fails in a fresh clone of HEAD: {' | '.join(told.splitlines()[-3:])}"
                )


def head() -> str:
    """The commit that is checked.

    Raises:
        UserError: this is no git repository, or it has no commit.
    """
    return git("rev-parse", "HEAD", cure=CURE).strip()


def clone(folder: Path, surroundings: Mapping[str, str]) -> Clone:
    """A clone of HEAD in ``folder``, without anything of the present one's environment that could make two runs agree."""
    git("clone", "--quiet", "--no-hardlinks", ".", str(folder), cure=CURE)
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("DVC_", "MLFLOW_", "PYTHON", "GIT_"))
    }
    own = {"DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(folder.parent / "site-cache")}
    return Clone(folder, {**kept, **ONE_THREAD, **own, **surroundings})
