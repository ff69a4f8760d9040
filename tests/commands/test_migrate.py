"""`onnxpress migrate` on what the first edition has left: params, dvc.yaml, models, champions."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Literal

import joblib
import pytest
import yaml

from onnxpress.commands.migrate.migrating import main
from onnxpress.commands.migrate.models import look_at_code, look_at_models
from onnxpress.commands.migrate.params_file import ADDED, NEW_SECTIONS, migrate_params, with_key
from onnxpress.commands.migrate.pipeline_files import migrate_pipeline, missing_code
from onnxpress.commands.migrate.registry import lacking, look_at_champion
from onnxpress.commands.promote.rule import Measured
from onnxpress.pipeline.params import Promote, load_params
from tests.conftest import ROOT, default_params, write_params
from tests.support.first_edition import LOCK, PIPELINE, first_params


def test_keys_that_came_later_are_added_with_their_defaults(workspace: Path) -> None:
    old = first_params()
    (workspace / "params.yaml").write_text(old, encoding="utf-8")
    found = migrate_params()
    alone = [key for key in ADDED if key.partition(".")[0] not in NEW_SECTIONS]
    lines = len(alone) + len(NEW_SECTIONS)  # two of the keys by another name
    assert (len(found.changed), found.left) == (lines, [])
    text = (workspace / "params.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(text) == default_params()
    assert load_params()
    unchanged = [line for line in old.splitlines() if line and "max_accuracy_drop" not in line]
    assert [line for line in text.splitlines() if line in unchanged] == unchanged


def test_a_second_run_changes_nothing(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workspace / "params.yaml").write_text(first_params(), encoding="utf-8")
    main()
    after = (workspace / "params.yaml").read_bytes()
    assert "changed: params.yaml: data.text: [] (the default) was added" in capsys.readouterr().out
    main()
    assert capsys.readouterr().out == "  nothing to migrate\n"
    assert (workspace / "params.yaml").read_bytes() == after


def test_the_users_own_values_stay(workspace: Path) -> None:
    old = re.sub("max_accuracy_drop: 0.0 ", "max_accuracy_drop: 0.03 ", first_params())
    (workspace / "params.yaml").write_text(old, encoding="utf-8")
    migrate_params()
    assert load_params().quantize.max_drop == {"score": 0.03, "recall_worst_loss": 0.02}
    text = (workspace / "params.yaml").read_text(encoding="utf-8")
    assert "  max_drop: {score: 0.03, recall_worst_loss: 0.02}  # what calibration rows" in text


def test_a_budget_that_was_off_stays_off_and_a_given_new_key_stays(workspace: Path) -> None:
    old = re.sub("max_accuracy_drop: 0.01 ", "max_accuracy_drop: null ", first_params())
    (workspace / "params.yaml").write_text(old, encoding="utf-8")
    migrate_params()
    assert load_params().gate.max_drop == {"score": None, "recall_worst_loss": 0.05}


def test_a_renamed_key_in_a_section_of_one_line_is_left_to_the_user(workspace: Path) -> None:
    content = default_params()
    del content["gate"]["max_drop"]
    gate = {**content.pop("gate"), "max_accuracy_drop": 0.5}
    text = yaml.safe_dump(content) + f"gate: {json.dumps(gate)}\n"
    (workspace / "params.yaml").write_text(text, encoding="utf-8")
    (line,) = migrate_params().left
    assert line == (
        "params.yaml: gate.max_accuracy_drop is now gate.max_drop; "
        "write `max_drop: {score: 0.5, recall_worst_loss: 0.05}` instead"
    )
    assert (workspace / "params.yaml").read_text(encoding="utf-8") == text


def test_a_section_in_one_line_is_left_to_the_user(workspace: Path) -> None:
    content = default_params()
    del content["gate"]["max_score_diff"]
    text = yaml.safe_dump({key: value for key, value in content.items() if key != "gate"})
    gate = yaml.safe_dump(content["gate"], default_flow_style=True, width=1000)
    (workspace / "params.yaml").write_text(f"{text}gate: {gate}", encoding="utf-8")
    before = (workspace / "params.yaml").read_bytes()
    (line,) = migrate_params().left
    assert line.startswith("params.yaml: gate.max_score_diff is missing; add `max_score_diff: 1.0e")
    assert (workspace / "params.yaml").read_bytes() == before


def test_what_the_schema_refuses_is_named(workspace: Path) -> None:
    write_params(workspace, default_params(train__trust=["mypackage"]))
    (line,) = migrate_params().left
    assert line.startswith("params.yaml: train.trust.0 should name a class as package.module.Class")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a:\n  x: 1\n\n# b\nb:\n  y: 2\n", "a:\n  x: 1\n  z: 0\n\n# b\nb:\n  y: 2\n"),
        ("b:\n  y: 2\na: # c\n    x: 1", "b:\n  y: 2\na: # c\n    x: 1\n    z: 0"),
        ("a: {x: 1}\n", None),
        ("a:\n  x: |\n    text\n", "a:\n  x: |\n    text\n  z: 0\n"),
    ],
)
def test_a_key_comes_at_the_end_of_its_section(text: str, expected: str | None) -> None:
    assert with_key(text, "a", "z", "0") == expected


def repository(folder: Path, pipeline: str) -> None:
    """A git repository with our dvc.yaml in its history, another one now, and our code."""
    for name in ("stages", "onnxpress"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "requirements").symlink_to(ROOT / "requirements")
    (folder / "dvc.yaml").write_bytes((ROOT / "dvc.yaml").read_bytes())
    commit = ["-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-qam"]
    for command in (["init", "-q"], ["add", "dvc.yaml"], [*commit, "new edition"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    (folder / "dvc.yaml").write_text(pipeline, encoding="utf-8")
    subprocess.run(["git", *commit, "merged as ours"], cwd=folder, check=True)


def test_a_dvc_yaml_that_names_what_has_moved_is_restored(workspace: Path) -> None:
    repository(workspace, PIPELINE)
    assert missing_code(PIPELINE)[0] == "stages/prepare"
    (line,) = migrate_pipeline().changed
    assert line.startswith("dvc.yaml: it names stages/prepare, which has moved, so it was restored")
    assert (workspace / "dvc.yaml").read_bytes() == (ROOT / "dvc.yaml").read_bytes()
    assert migrate_pipeline().changed == []


def test_stages_of_the_users_own_are_left_to_be_merged(workspace: Path) -> None:
    own = f"{PIPELINE}  mine:\n    cmd: echo\n"
    repository(workspace, own)
    found = migrate_pipeline()
    assert found.changed == []
    assert "the stage 'mine' is yours; merge it with `git show " in found.left[0]
    assert (workspace / "dvc.yaml").read_text(encoding="utf-8") == own


def test_an_old_lock_is_explained(workspace: Path) -> None:
    (workspace / "dvc.lock").write_text(LOCK, encoding="utf-8")
    (line,) = migrate_pipeline().left
    assert line.startswith("dvc.lock: it names stages/common, which has moved; `dvc repro` runs")


def test_models_that_do_not_load_any_more_are_named(workspace: Path) -> None:
    from sklearn.tree import DecisionTreeClassifier

    write_params(workspace, default_params())
    (workspace / "models").mkdir(exist_ok=True)
    good = DecisionTreeClassifier().fit([[0.0], [1.0]], [0, 1])
    joblib.dump(good, workspace / "models/good.joblib")
    (workspace / "models/cut.joblib").write_bytes(
        (workspace / "models/good.joblib").read_bytes()[:99]
    )
    (line,) = look_at_models().left
    assert line.startswith("models/cut.joblib is not a whole joblib file")


def test_a_given_onnx_model_of_the_first_edition_loads_by_its_old_name() -> None:
    from onnxpress.estimators import stored
    from onnxpress.estimators.onnx_estimator import OnnxRegressor

    data = stored.dump(OnnxRegressor(b"model", ("a",), ("b",)))
    new, old = b"onnxpress.estimators.onnx_estimator", b"stages.common.onnx_estimator"
    assert data.count(new) == 1
    at = data.index(new)
    frame = data[: at - 1] + bytes([len(old)]) + old + data[at + len(new) :]
    start = data.index(b"\x95") + 1  # the frame's length, in eight bytes
    size = int.from_bytes(data[start : start + 8], "little") - len(new) + len(old)
    renamed = frame[:start] + size.to_bytes(8, "little") + frame[start + 8 :]
    assert stored.loads(renamed).outputs == ("b",)


def test_code_that_imports_from_old_places_is_named(workspace: Path) -> None:
    repository(workspace, PIPELINE)
    (workspace / "mine.py").write_text("from stages.common.files import write_json\n")
    (workspace / "fine.py").write_text("from onnxpress.text import visible\n")
    subprocess.run(["git", "add", "mine.py", "fine.py"], cwd=workspace, check=True)
    assert look_at_code().left == [
        "mine.py: it imports stages.common.files, which has moved; the library is in onnxpress/ now"
    ]


@pytest.mark.parametrize(
    ("by", "champion", "lacks"),
    [
        ("score", Measured({"quantized_r2": 0.5}, "abc", ""), None),
        ("score", Measured({"quantized_r2": 0.5}, "", ""), "digest of test rows"),
        ("size", Measured({"quantized_r2": 0.5}, "abc", ""), "metric quantized_size_kb"),
        ("latency", Measured({"quantized_latency_ms": 1.0}, "", ""), "machine that its latency"),
        ("latency", Measured({"quantized_latency_ms": 1.0}, "", "here"), None),
    ],
)
def test_a_champion_that_promote_cannot_compare_with_is_named(
    by: Literal["score", "size", "latency"], champion: Measured, lacks: str | None
) -> None:
    found = lacking(Promote(by=by, min_gain=0.0), champion)
    assert found is None if lacks is None else str(found).startswith(lacks)


def test_without_a_registered_model_there_is_no_champion(workspace: Path) -> None:
    write_params(workspace, default_params())
    assert look_at_champion().left == []


def test_a_registry_that_does_not_answer_is_one_line(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_params(workspace, default_params(publish__register="forest"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    (line,) = look_at_champion().left
    assert line.startswith("forest: its champion was not looked at (")
    assert line.endswith("run `onnxpress migrate` again when it answers)")
