"""An embedded store moves with its repository: the old place is neither written nor read."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow.tracking import MlflowClient

from onnxpress.pipeline.files import read_json, write_json
from tests.support.publish_fixtures import (
    EXPERIMENT,
    LIBRARY_WARNINGS,
    METRICS,
    fit,
    make_repository,
    numeric_rows,
    publish_in_process,
    set_params,
)
from tests.support.published import assert_whole, runs_of

pytestmark = LIBRARY_WARNINGS


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a published and registered model; its path needs quoting in a URI."""
    folder = make_repository(tmp_path_factory.mktemp("first") / "my repo, née 100%", numeric_rows())
    set_params(folder, "publish", register="forest")
    with pytest.MonkeyPatch.context() as monkeypatch:
        publish_in_process(folder, monkeypatch)
    return folder


@pytest.fixture
def original(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """That repository, back in its first place and as it was, whatever a test does to it."""
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    kept = shutil.copytree(published, tmp_path / "kept")
    yield published
    shutil.rmtree(published, ignore_errors=True)
    shutil.move(kept, published)


def store_of(folder: Path) -> str:
    return f"sqlite:///{folder}/mlflow.db"


def stored_text(folder: Path) -> str:
    """The whole database as text."""
    with sqlite3.connect(folder / "mlflow.db") as database:
        return "\n".join(database.iterdump())


def assert_loads(folder: Path, model: str) -> None:
    mlflow.set_tracking_uri(store_of(folder))
    answer = mlflow.pyfunc.load_model(model).predict(numeric_rows())
    assert np.array_equal(
        answer["label"], fit(numeric_rows())[0].predict(numeric_rows().to_numpy())
    )


def test_moved_repository_finds_its_run_and_writes_beside_itself(
    original: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    old = read_json(original / "outputs/mlflow_run.json")
    moved = Path(shutil.move(original, tmp_path / "elsewhere"))
    publish_in_process(moved, monkeypatch)
    run = assert_whole(store_of(moved), EXPERIMENT)
    assert run.info.run_id == old["run_id"]
    said = capsys.readouterr().out
    assert "already published" in said
    assert "the store was moved" in said
    assert original.as_uri() not in stored_text(moved)
    MlflowClient(store_of(moved)).download_artifacts(run.info.run_id, "", str(tmp_path))
    assert (tmp_path / "model_quantized.onnx").read_bytes() == (
        moved / "outputs/model_quantized.onnx"
    ).read_bytes()
    assert_loads(moved, f"runs:/{run.info.run_id}/model")
    assert_loads(moved, "models:/forest@candidate")
    write_json(moved / "outputs/metrics.json", {**METRICS, "test_rows": 7})
    publish_in_process(moved, monkeypatch)
    assert "the store was moved" not in capsys.readouterr().out
    assert not original.exists()
    assert {
        new.info.artifact_uri.startswith(moved.as_uri())
        for new in runs_of(store_of(moved), EXPERIMENT)
    } == {True}
    assert len(list(moved.glob("mlartifacts/*/*/artifacts/model_quantized.onnx"))) == 2


def test_copy_and_original_go_separate_ways(
    original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path: path.stat().st_mtime_ns for path in original.rglob("*")}
    copy = shutil.copytree(original, tmp_path / "copy")
    write_json(copy / "outputs/metrics.json", {**METRICS, "test_rows": 7})
    publish_in_process(copy, monkeypatch)
    assert {path: path.stat().st_mtime_ns for path in original.rglob("*")} == before
    assert original.as_uri() not in stored_text(copy)


def test_runs_whose_files_stayed_behind_are_still_found_there(
    original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copytree(
        original, tmp_path / "copy", ignore=shutil.ignore_patterns("mlartifacts")
    )
    write_json(copy / "outputs/metrics.json", {**METRICS, "test_rows": 7})
    publish_in_process(copy, monkeypatch)
    first, second = sorted(runs_of(store_of(copy), EXPERIMENT), key=lambda run: run.info.start_time)
    assert first.info.artifact_uri.startswith(original.as_uri())
    assert second.info.artifact_uri.startswith(copy.as_uri())
    assert_loads(copy, f"runs:/{first.info.run_id}/model")


def test_experiment_with_a_place_of_its_own_keeps_it(
    original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = (tmp_path / "shared disk").as_uri()
    moved = Path(shutil.move(original, tmp_path / "elsewhere"))
    MlflowClient(store_of(moved)).create_experiment("own place", place)
    set_params(moved, "publish", experiment="own place")
    publish_in_process(moved, monkeypatch)
    (run,) = runs_of(store_of(moved), "own place")
    assert run.info.artifact_uri.startswith(place)
    assert (tmp_path / "shared disk" / run.info.run_id / "artifacts" / "metrics.json").exists()
