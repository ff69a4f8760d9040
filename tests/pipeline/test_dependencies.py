"""A stage notices at its end what has changed since it began."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from onnxpress.errors import UserError
from onnxpress.pipeline import dependencies
from onnxpress.pipeline.running import refuse_changes
from tests.conftest import ROOT, changed, default_params, write_params

STAGES: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]


@pytest.fixture
def project(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with this dvc.yaml and params.yaml, and a file for every dependency of a stage."""
    monkeypatch.setattr(dependencies, "_begun", {})
    (workspace / "dvc.yaml").write_text(
        (ROOT / "dvc.yaml").read_text(encoding="utf-8"), encoding="utf-8"
    )
    for dep in {dep for stage in STAGES.values() for dep in stage["deps"]}:
        path = workspace / (dep if "." in dep else f"{dep}/inner/file.py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("first\n")
    return workspace


@pytest.mark.parametrize("stage", STAGES)
def test_nothing_has_changed_where_nothing_has(project: Path, stage: str) -> None:
    dependencies.begin(stage)
    for path in project.rglob("*"):
        os.utime(path, (1, 1))  # a touch is no change
    refuse_changes(stage)


@pytest.mark.parametrize("stage", STAGES)
def test_a_change_of_anything_that_a_stage_depends_on_is_named(project: Path, stage: str) -> None:
    for dep in STAGES[stage]["deps"]:
        path = dep if "." in dep else f"{dep}/inner/file.py"
        dependencies.begin(stage)
        (project / path).write_text("other\n")
        with pytest.raises(UserError, match=f"^{path} changed while this stage ran"):
            refuse_changes(stage)


@pytest.mark.parametrize("stage", STAGES)
def test_what_a_stage_does_not_depend_on_may_change(project: Path, stage: str) -> None:
    dependencies.begin(stage)
    for other in {dep for entry in STAGES.values() for dep in entry["deps"]} - set(
        STAGES[stage]["deps"]
    ):
        (project / (other if "." in other else f"{other}/inner/file.py")).write_text("other\n")
    content = (
        default_params()
        if stage in {"gate", "publish"}
        else default_params(gate__max_size_ratio=0.5)
    )
    write_params(project, dict(reversed(content.items())))
    refuse_changes(stage)


@pytest.mark.parametrize(
    ("stage", "key", "value"),
    [
        ("prepare", "data.test_size", 0.3),
        ("train", "train.params", {"n_estimators": 7}),
        ("convert", "train.trust", ["lightgbm"]),
        ("benchmark", "benchmark.threads", 4),
        ("gate", "gate.max_size_ratio", None),
        ("publish", "publish.experiment", "another"),
        ("quantize", "seed", 43),
    ],
)
def test_a_changed_key_is_named(project: Path, stage: str, key: str, value: object) -> None:
    dependencies.begin(stage)
    write_params(project, changed(default_params(), **{key.replace(".", "__"): value}))
    named = f"{key}.n_estimators" if isinstance(value, dict) else key
    with pytest.raises(UserError, match=f"^params.yaml: {named} changed while"):
        refuse_changes(stage)


def test_a_file_may_be_replaced_removed_or_come_new(project: Path) -> None:
    def found(path: str, content: str | None) -> list[str]:
        dependencies.begin("prepare")
        if content is None:
            (project / path).unlink()
        else:
            (project / "elsewhere").write_text(content)
            (project / "elsewhere").replace(project / path)
        return dependencies.changes("prepare")

    (project / "data/rows.csv").write_text("a\n1\n")
    assert found("data/rows.csv", "a\n1\n") == []  # with the same content
    assert found("data/rows.csv", "a\n2\n") == ["data/rows.csv"]
    assert found("data/rows.csv", None) == ["data/rows.csv"]
    assert found("data/other.csv", "a\n2\n") == []  # nobody can have read it
    assert found("onnxpress/tables/helper.py", "x = 1\n") == [
        "onnxpress/tables/helper.py"
    ]  # may have been imported
    assert found("onnxpress/tables/.helper.py.swp", "") == []  # an editor's own


def test_a_large_file_is_compared_by_its_time(project: Path) -> None:
    path = project / "data/large.parquet"
    path.write_bytes(bytes(dependencies.HASHED_BYTES + 1))
    dependencies.begin("prepare")
    with path.open("r+b") as file:
        file.write(b"x")
    assert dependencies.changes("prepare") == ["data/large.parquet"]


def test_nothing_is_recorded_outside_a_stage_or_a_project(project: Path) -> None:
    dependencies.begin("report")
    (project / "dvc.yaml").write_text("stages: [")
    dependencies.begin("gate")
    (project / "dvc.yaml").unlink()
    dependencies.begin("gate")
    assert dependencies._begun == {}


def test_looking_costs_a_tenth_of_a_second_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(dependencies, "_begun", {})
    costs = []
    for _ in range(3):
        start = time.process_time()
        dependencies.begin("train")
        assert dependencies.changes("train") == []
        costs.append(time.process_time() - start)
    assert min(costs) < 0.1


def test_a_stage_run_by_hand_fails_with_one_line(workspace: Path) -> None:
    for name in ("stages", "onnxpress", "dvc.yaml", "requirements/main.lock", "models"):
        (workspace / name).parent.mkdir(exist_ok=True)
        (workspace / name).symlink_to(ROOT / name)
    (workspace / "data/rows.csv").write_text("a,y\n" + "1,0\n2,1\n" * 50, encoding="utf-8")
    write_params(workspace, default_params(data__source="data/rows.csv", data__target="y"))
    edit = (  # as an editor would, once the rows have been read
        "import sys; sys.orig_argv = ['python', '-m', 'stages.prepare']; sys.argv = ['-m']\n"
        "import stages; from stages import prepare as stage\n"
        "from onnxpress.pipeline.running import run_stage\n"
        "from pathlib import Path\n"
        "params = Path('params.yaml')\n"
        "def edit(): params.write_text(params.read_text().replace('seed: 42', 'seed: 43'))\n"
        "def main(): stage.main(); edit()\n"
        "run_stage('prepare', main)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", edit], cwd=workspace, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        (
            "prepare: params.yaml: seed changed while this stage ran, "
            "so what it made may belong to neither state; run `dvc repro` again"
        )
    ]
