"""The GitHub workflow runs what exists, within limits that fit."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

JOBS: dict[str, Any] = yaml.safe_load(
    (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
)["jobs"]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
CI_MINUTES = 40
"""What `.ci/run` may take on two cores."""


def commands(job: str) -> str:
    return "\n".join(step.get("run", "") for step in JOBS[job]["steps"])


def test_one_job_runs_everything_and_is_stopped_soon_after_its_time() -> None:
    assert "bash .ci/run" in commands("check")
    assert CI_MINUTES < JOBS["check"]["timeout-minutes"] <= CI_MINUTES + 10


@pytest.mark.parametrize("job", JOBS)
def test_a_job_has_a_limit_and_runs_what_exists(job: str) -> None:
    assert JOBS[job]["timeout-minutes"] <= CI_MINUTES + 10
    for path in re.findall(r"(?:tests|\.ci)/[\w./]+", commands(job)):
        assert (ROOT / path).exists()
    for environment in re.findall(r"make (\.venv[\w-]*/installed)", commands(job)):
        assert f":= {environment}" in MAKEFILE


@pytest.mark.parametrize("lock", ["peers", "mlflow2", "triton", "serve"])
def test_each_lock_that_cannot_share_the_environment_has_a_job(lock: str) -> None:
    assert (ROOT / "requirements" / f"{lock}.lock").exists()
    assert lock in JOBS
