"""The champion before comes back, with the manifest that serves it."""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import mlflow
import pytest
import yaml
from mlflow.tracking import MlflowClient

from onnxpress.commands.rollback.rolling_back import main as rollback
from onnxpress.errors import UserError
from onnxpress.pipeline.files import write_json
from tests.conftest import ROOT
from tests.support.project import Project
from tests.support.publish_fixtures import (
    LIBRARY_WARNINGS,
    METRICS,
    make_repository,
    numeric_rows,
    package,
    promote_in_process,
    publish_in_process,
    set_params,
)

pytestmark = LIBRARY_WARNINGS
NAME = "forest"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose models are registered, promoted by size, and served from a folder."""
    made = make_repository(tmp_path / "repository", numeric_rows())
    set_params(made, "publish", register=NAME, promote={"by": "size", "min_gain": 0.0})
    set_params(made, "package", storage_uri=f"{tmp_path}/models")
    return made


def become_champion(
    folder: Path, monkeypatch: pytest.MonkeyPatch, size_kb: float, **settings: Any
) -> bytes:
    """Publish a model of this size, packaged with these settings, and promote it; its manifest."""
    set_params(folder, "package", **settings)
    package(folder)
    write_json(folder / "outputs/metrics.json", {**METRICS, "quantized_size_kb": size_kb})
    publish_in_process(folder, monkeypatch)
    promote_in_process(folder, monkeypatch)
    manifest = folder / "outputs/serving/kserve.yaml"
    return manifest.read_bytes() if manifest.exists() else b""


def roll_back(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What ``onnxpress rollback --json`` answers."""
    monkeypatch.chdir(folder)
    mlflow.set_tracking_uri(None)  # type: ignore[arg-type] # takes back what was set for the process
    with redirect_stdout(io.StringIO()) as printed:
        rollback(in_json=True)
    return dict(json.loads(printed.getvalue()))


def alias(folder: Path, name: str) -> str:
    uri = f"sqlite:///{folder}/mlflow.db"
    return str(MlflowClient(uri, uri).get_model_version_by_alias(NAME, name).version)


def test_the_champion_before_and_its_manifest_come_back(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = become_champion(repository, monkeypatch, 3.0, max_batch_size=256)
    second = become_champion(repository, monkeypatch, 2.0, max_batch_size=512)
    assert first != second
    assert roll_back(repository, monkeypatch) == {
        "model": NAME,
        "champion": "1",
        "champion_before": "2",
        "manifest": "outputs/rollback.yaml",
    }
    assert (repository / "outputs/rollback.yaml").read_bytes() == first
    assert (alias(repository, "champion"), alias(repository, "champion-before")) == ("1", "2")
    roll_back(repository, monkeypatch)  # and forward again
    assert (repository / "outputs/rollback.yaml").read_bytes() == second


def test_all_requests_go_to_the_champion_that_comes_back(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = become_champion(repository, monkeypatch, 3.0, canary_percent=10)
    become_champion(repository, monkeypatch, 2.0, canary_percent=None, max_batch_size=512)
    roll_back(repository, monkeypatch)
    manifest = yaml.safe_load(canary)
    assert manifest["spec"]["predictor"].pop("canaryTrafficPercent") == 10
    assert yaml.safe_load((repository / "outputs/rollback.yaml").read_bytes()) == manifest


def test_without_a_champion_before_nothing_is_moved(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    become_champion(repository, monkeypatch, 3.0)
    command = (sys.executable, "-m", "onnxpress", "rollback")
    done = Project(repository).run(*command, check=False, PYTHONPATH=str(ROOT))
    assert done.returncode == 2
    assert "forest has no champion before the present one" in done.stderr
    assert alias(repository, "champion") == "1"
    assert not (repository / "outputs/rollback.yaml").exists()


def test_a_champion_before_without_a_manifest_is_not_brought_back(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = yaml.safe_load((repository / "params.yaml").read_text())["package"]["storage_uri"]
    become_champion(repository, monkeypatch, 3.0, storage_uri=None)
    become_champion(repository, monkeypatch, 2.0, storage_uri=storage)
    with pytest.raises(UserError, match="forest version 1 has no manifest, because it was"):
        roll_back(repository, monkeypatch)
    assert alias(repository, "champion") == "2"
