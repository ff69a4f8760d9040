"""Stages run by DVC: what is shown, and what a failure means."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from kubeflow.stages import run_stages
from onnxpress.errors import GateFailed, ServerError, UserError

DVC_YAML = """
stages:
  gate:
    cmd: 'echo "gate: a limit is broken" >&2; exit {code}'
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "cache"))
    subprocess.run(["dvc", "init", "--quiet", "--no-scm"], check=True)
    return tmp_path


@pytest.mark.parametrize(("code", "error"), [(2, UserError), (3, GateFailed), (4, ServerError)])
def test_a_failed_stage_fails_the_step_with_its_own_line_and_code(
    code: int, error: type[UserError], repository: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (repository / "dvc.yaml").write_text(DVC_YAML.format(code=code))
    with pytest.raises(UserError, match=r"^gate: a limit is broken$") as failed:
        run_stages()
    assert type(failed.value) is error
    assert "Running stage 'gate'" in capfd.readouterr().out


def test_a_stage_that_ends_well_is_shown(
    repository: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (repository / "dvc.yaml").write_text(DVC_YAML.format(code=0))
    run_stages("gate")
    assert "a limit is broken" in capfd.readouterr().out
