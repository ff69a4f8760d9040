"""Publishing to the embedded store: what a run holds, one run per content, and what kills leave."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import yaml
from mlflow.tracking import MlflowClient

from onnxpress.errors import GateFailed, ServerError
from onnxpress.pipeline.files import read_json, write_json
from tests.support.publish_fixtures import (
    EXPERIMENT,
    LATENCY,
    LIBRARY_WARNINGS,
    METRICS,
    ROWS,
    SWEEP,
    exit_code,
    fit,
    kill_after,
    make_repository,
    mixed_rows,
    numeric_rows,
    publish_command,
    publish_in_process,
    set_params,
    start_publish,
)
from tests.support.published import assert_whole
from tests.support.published import runs_of as published_runs

pytestmark = LIBRARY_WARNINGS


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository that is ready to be published, with an empty embedded store."""
    return make_repository(tmp_path_factory.mktemp("template"), numeric_rows())


@pytest.fixture(scope="module")
def published(
    template: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A repository published once by the command, for tests that only look."""
    folder = shutil.copytree(template, tmp_path_factory.mktemp("published") / "repository")
    return folder, publish_command(folder)


@pytest.fixture
def repository(published: tuple[Path, Any], tmp_path: Path) -> Path:
    """An unpublished repository of its own, beside an empty store that is migrated already."""
    folder = shutil.copytree(
        published[0], tmp_path / "repository", ignore=shutil.ignore_patterns("mlartifacts")
    )
    set_params(folder, "publish", experiment="of this test")
    return folder


def runs_of(folder: Path, experiment: str = "of this test") -> list[Any]:
    """All runs of an experiment in the embedded store of ``folder``."""
    return published_runs(f"sqlite:///{folder}/mlflow.db", experiment)


def the_run(published: tuple[Path, Any]) -> Any:
    (run,) = runs_of(published[0], EXPERIMENT)
    return run


def names_of_artifacts(folder: Path, run: Any) -> set[str]:
    return {
        file.path
        for file in MlflowClient(f"sqlite:///{folder}/mlflow.db").list_artifacts(run.info.run_id)
    }


def test_command_says_two_lines_and_lets_no_library_speak(published: tuple[Path, Any]) -> None:
    _, done = published
    assert (done.returncode, done.stderr, len(done.stdout.splitlines())) == (0, "", 2)


def test_receipt_names_store_experiment_run_and_content(published: tuple[Path, Any]) -> None:
    folder, _ = published
    run = the_run(published)
    assert read_json(folder / "outputs/mlflow_run.json") == {
        "tracking_uri": f"sqlite:///{folder}/mlflow.db",
        "experiment": EXPERIMENT,
        "run_id": run.info.run_id,
        "content_digest": run.data.tags["content_digest"],
    }


def test_run_is_finished_complete_and_named_by_model_and_data(published: tuple[Path, Any]) -> None:
    run = the_run(published)
    assert (run.info.status, run.data.tags["complete"], run.info.run_name) == (
        "FINISHED",
        "true",
        "RandomForestClassifier on iris",
    )


def test_quantization_type_is_the_method_chosen_even_where_params_say_auto(
    published: tuple[Path, Any],
) -> None:
    params = the_run(published).data.params
    assert (params["quantize.method"], params["quantization_type"]) == ("auto", "forest")


def test_the_score_is_named_even_where_params_say_null(published: tuple[Path, Any]) -> None:
    assert the_run(published).data.params["score"] == "accuracy"


def test_params_are_the_flattened_params_file_without_publish(published: tuple[Path, Any]) -> None:
    params = the_run(published).data.params
    assert {
        key: params[key]
        for key in ("n_iterations", "seed", "train.params.n_estimators", "benchmark.batch_sizes")
    } == {
        "n_iterations": "1000",
        "seed": "42",
        "train.params.n_estimators": "100",
        "benchmark.batch_sizes": "[1, 32, 1024]",
    }
    assert not [key for key in params if key.startswith("publish")]


def test_metrics_have_the_names_and_values_of_the_json_files(published: tuple[Path, Any]) -> None:
    assert the_run(published).data.metrics == pytest.approx({**METRICS, **LATENCY, **SWEEP})


def test_artifacts_are_the_models_the_json_files_and_the_predictions(
    published: tuple[Path, Any],
) -> None:
    assert names_of_artifacts(published[0], the_run(published)) >= {
        "model_optimized.onnx",
        "model_quantized.onnx",
        "metrics.json",
        "metrics_detail.json",
        "latency.json",
        "latency_detail.json",
        "gate.json",
        "quantization.json",
        "schema.json",
        "predictions.csv",
        "params.yaml",
        "model_card.md",
        "confusion.png",
        "reliability.png",
        "size.png",
        "candidates.png",
        "latency.png",
        "latency_by_batch.png",
    }


def test_description_sets_the_models_side_by_side(published: tuple[Path, Any]) -> None:
    card = the_run(published).data.tags["mlflow.note.content"]
    assert "| onnx | 12.5 | 0.95 |" in card
    assert "| quantized | 3.25 |" in card


def test_test_data_are_an_input_of_the_run(published: tuple[Path, Any]) -> None:
    (data,) = the_run(published).inputs.dataset_inputs
    assert (data.dataset.name, json.loads(data.dataset.profile)["num_rows"]) == ("iris", ROWS)


def test_artifact_folder_lies_beside_the_database_and_nowhere_else(
    published: tuple[Path, Any],
) -> None:
    folder, _ = published
    assert {path.name for path in folder.iterdir()} == {
        "outputs",
        "params.yaml",
        "mlflow.db",
        "mlflow.db.lock",
        "mlartifacts",
    }


def loaded(folder: Path, run: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    return mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model")


def test_model_answers_raw_rows_of_numbers(
    published: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = numeric_rows()
    model = loaded(published[0], the_run(published), monkeypatch)
    original, _ = fit(rows)
    for form in (rows, rows.to_numpy()):
        answer = model.predict(form)
        assert np.array_equal(answer["label"], original.predict(rows.to_numpy()))
        assert np.allclose(
            answer["probabilities"], original.predict_proba(rows.to_numpy()), atol=1e-6
        )


def test_model_answers_raw_rows_of_numbers_and_categories(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = mixed_rows()
    folder = make_repository(tmp_path, rows)
    publish_in_process(folder, monkeypatch)
    answer = loaded(folder, runs_of(folder, EXPERIMENT)[0], monkeypatch).predict(rows)
    original, _ = fit(rows)
    assert np.array_equal(answer["label"], original.predict(rows))
    assert np.allclose(answer["probabilities"], original.predict_proba(rows), atol=1e-6)


def test_served_model_takes_rows_as_json(
    published: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.pyfunc import scoring_server

    rows = numeric_rows()[:2]
    model = loaded(published[0], the_run(published), monkeypatch)
    request = json.dumps(
        {"dataframe_split": {"columns": list(rows), "data": rows.to_numpy().tolist()}}
    )
    invoke: Any = scoring_server.invocations  # has no types
    answer = invoke(request, "application/json", model, model.metadata.get_input_schema())
    assert answer.status == 200, answer.response
    assert (
        json.loads(answer.response)["predictions"]["label"]
        == fit(numeric_rows())[0].predict(rows.to_numpy()).tolist()
    )


def test_logged_onnx_file_has_the_bytes_of_the_quantised_model(published: tuple[Path, Any]) -> None:
    folder, _ = published
    (model,) = folder.glob("mlartifacts/*/models/*/artifacts/model.onnx")
    assert model.read_bytes() == (folder / "outputs/model_quantized.onnx").read_bytes()


def test_publishing_again_finds_the_run_and_adds_nothing(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_in_process(repository, monkeypatch)
    before = runs_of(repository)
    publish_in_process(repository, monkeypatch)
    assert [run.to_dictionary() for run in runs_of(repository)] == [
        run.to_dictionary() for run in before
    ]


def test_new_latency_is_the_next_step_of_the_same_run(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_in_process(repository, monkeypatch)
    write_json(repository / "outputs/latency.json", {**LATENCY, "onnx_latency_ms": 0.03})
    publish_in_process(repository, monkeypatch)
    (run,) = runs_of(repository)
    history = MlflowClient(f"sqlite:///{repository}/mlflow.db").get_metric_history(
        run.info.run_id, "onnx_latency_ms"
    )
    assert [(point.step, point.value) for point in history] == [(0, 0.02), (1, 0.03)]


def test_another_picture_of_the_same_latency_makes_no_new_run_and_no_new_step(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_in_process(repository, monkeypatch)
    for path in (repository / "outputs" / "plots").iterdir():
        path.write_bytes(b"another version of matplotlib draws otherwise")
    publish_in_process(repository, monkeypatch)
    (run,) = runs_of(repository)
    assert (
        len(
            MlflowClient(f"sqlite:///{repository}/mlflow.db").get_metric_history(
                run.info.run_id, "onnx_latency_ms"
            )
        )
        == 1
    )


@pytest.mark.parametrize(
    "file", ["model.joblib", "model.onnx", "model_quantized.onnx", "predictions.csv"]
)
def test_other_content_is_another_run(
    repository: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    publish_in_process(repository, monkeypatch)
    first = read_json(repository / "outputs/mlflow_run.json")["content_digest"]
    with (repository / "outputs" / file).open("ab") as stream:
        stream.write(
            b"\x82\x01\x00" if file.endswith("onnx") else b"\n"
        )  # an unknown empty field, as protobuf has it
    publish_in_process(repository, monkeypatch)
    assert len(runs_of(repository)) == 2
    assert read_json(repository / "outputs/mlflow_run.json")["content_digest"] != first


def test_long_param_is_cut_and_whole_among_the_artifacts(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = list(range(2000))
    set_params(repository, "train", params={"sizes": long})
    publish_in_process(repository, monkeypatch)
    (run,) = runs_of(repository)
    assert len(run.data.params["train.params.sizes"]) <= 500
    (settings,) = repository.glob("mlartifacts/*/*/artifacts/params.yaml")
    assert yaml.safe_load(settings.read_text())["train"]["params"]["sizes"] == long


def test_run_names_its_commit_and_whether_there_were_uncommitted_changes(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / ".gitignore").write_text("/mlflow.db*\n/mlartifacts/\n")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        subprocess.run([*git, *arguments], cwd=repository, check=True)
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=repository, capture_output=True, text=True, check=True
    )
    (repository / "outputs/metrics.json").write_text('{"test_rows": 7}\n')
    publish_in_process(repository, monkeypatch)
    set_params(repository, "evaluate", probe_rows=7)
    publish_in_process(repository, monkeypatch)
    newest, first = runs_of(repository)
    assert {run.data.tags["git_commit"] for run in (first, newest)} == {head.stdout.strip()}
    assert (first.data.tags["git_dirty"], newest.data.tags["git_dirty"]) == ("false", "true")


def test_environment_wins_over_params(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(repository / "mlflow.db", tmp_path / "other.db")
    set_params(repository, "publish", tracking_uri="http://127.0.0.1:1")
    publish_in_process(repository, monkeypatch, f"sqlite:///{tmp_path}/other.db")
    assert (
        read_json(repository / "outputs/mlflow_run.json")["tracking_uri"]
        == f"sqlite:///{tmp_path}/other.db"
    )


def test_relative_store_lies_in_the_users_repository_even_in_an_experiments_copy(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copytree(
        repository, tmp_path / "copy", ignore=shutil.ignore_patterns("mlflow.db*")
    )
    monkeypatch.setenv("DVC_ROOT", str(repository))
    publish_in_process(copy, monkeypatch)
    assert len(runs_of(repository)) == 1
    assert not (copy / "mlflow.db").exists()


def test_failure_marks_the_run_and_the_next_publish_completes_it(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = repository / "mlartifacts" / "of_this_test" / "models"
    blocked.parent.mkdir(parents=True)
    blocked.touch()
    with pytest.raises(ServerError):
        publish_in_process(repository, monkeypatch)
    (failed,) = runs_of(repository)
    blocked.unlink()
    publish_in_process(repository, monkeypatch)
    (run,) = runs_of(repository)
    assert (failed.info.status, run.info.status, run.info.run_id) == (
        "FAILED",
        "FINISHED",
        failed.info.run_id,
    )


def test_publish_killed_anywhere_is_completed_by_the_next_one(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(template, tmp_path / "repository")
    chance = random.Random(7)  # noqa: S311 - a seeded sample of moments
    for _ in range(5):  # imports take the first second and a half
        kill_after(chance.uniform(1.0, 4.5), start_publish(folder))
    publish_in_process(folder, monkeypatch)
    assert_whole(f"sqlite:///{folder}/mlflow.db", EXPERIMENT)


def test_two_first_publishers_at_once_end_with_one_run(template: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(template, tmp_path / "repository")
    children = [start_publish(folder) for _ in range(2)]
    assert [exit_code(child) for child in children] == [0, 0]
    assert_whole(f"sqlite:///{folder}/mlflow.db", EXPERIMENT)


def test_failed_gate_is_not_published(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_json(
        repository / "outputs/gate.json",
        {"max_size_ratio": {"limit": 1.0, "passed": False, "value": 1.2}},
    )
    with pytest.raises(GateFailed, match="max_size_ratio"):
        publish_in_process(repository, monkeypatch)
    assert runs_of(repository) == []


def test_experiment_that_was_deleted_is_named(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_in_process(repository, monkeypatch)
    client = MlflowClient(f"sqlite:///{repository}/mlflow.db")
    client.delete_experiment(runs_of(repository)[0].info.experiment_id)
    with pytest.raises(ServerError, match="'?of this test'? is deleted"):
        publish_in_process(repository, monkeypatch)


def test_file_that_is_not_a_database_is_left_as_it_is(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(template, tmp_path / "repository")
    (folder / "mlflow.db").write_text("my notes")
    with pytest.raises(ServerError, match=re.escape("mlflow.db should be a SQLite database")):
        publish_in_process(folder, monkeypatch)
    assert (folder / "mlflow.db").read_text() == "my notes"
