"""Registered versions, the champion, and runs that belong together, in the embedded store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient

from onnxpress.errors import UserError
from onnxpress.pipeline.files import write_json
from tests.support.publish_fixtures import (
    EXPERIMENT,
    LIBRARY_WARNINGS,
    METRICS,
    make_repository,
    numeric_rows,
    promote_in_process,
    publish_in_process,
    set_params,
    tell_registry_story,
)

pytestmark = LIBRARY_WARNINGS


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    return make_repository(tmp_path, numeric_rows())


def runs_of(folder: Path) -> dict[str, Any]:
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    found = client.get_experiment_by_name(EXPERIMENT)
    assert found
    return {run.info.run_name: run for run in client.search_runs([found.experiment_id])}


def test_content_is_registered_once_and_promoted_when_it_is_better(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell_registry_story(repository, monkeypatch, f"sqlite:///{repository}/mlflow.db")


def test_without_a_registered_model_there_is_nothing_to_promote(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        UserError, match=r"publish\.register should name a registered model, got null"
    ):
        promote_in_process(repository, monkeypatch)


def test_runs_of_one_sweep_have_one_parent_and_others_none(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_in_process(repository, monkeypatch)
    monkeypatch.setenv("ONNXPRESS_SWEEP", "depths")
    for number, depth in enumerate(("two", "three")):
        write_json(repository / "outputs/metrics.json", {**METRICS, "test_rows": number})
        set_params(repository, "train", estimator=depth)
        publish_in_process(repository, monkeypatch)
        publish_in_process(repository, monkeypatch)
    monkeypatch.delenv("ONNXPRESS_SWEEP")
    monkeypatch.setenv("DVC_EXP_NAME", "tasty-onion")
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", "0123456789abcdef")
    set_params(repository, "train", estimator="queued")
    publish_in_process(repository, monkeypatch)
    runs = runs_of(repository)
    parents = {name: run.data.tags.get("mlflow.parentRunId") for name, run in runs.items()}
    assert parents == {
        "RandomForestClassifier on iris": None,
        "depths": None,
        "two on iris": runs["depths"].info.run_id,
        "three on iris": runs["depths"].info.run_id,
        "experiments on 0123456": None,
        "queued on iris": runs["experiments on 0123456"].info.run_id,
    }
