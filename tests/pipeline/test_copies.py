"""What an experiment says of a file that its copy of the repository lacks."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from onnxpress.commands.sweep.points import Point, Sweep
from onnxpress.commands.sweep.workspace import refuse_untracked
from onnxpress.errors import UserError
from onnxpress.estimators.building import build
from onnxpress.pipeline.copies import (
    absent,
    absent_module,
    absent_modules_named,
    cure,
    untracked_code,
)
from onnxpress.pipeline.named_file import named_file
from tests.conftest import default_params, numeric_schema

KNOWS_NOT = (
    "which git does not know, so the copy that this experiment runs in lacks it; run `git add "
)


def write(path: Path, text: str = "x = 1\n") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def original(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a commit; the current folder is a copy of it, as DVC makes them."""
    folder, copy = tmp_path / "original", tmp_path / "original/.dvc/tmp/exps/tmpabc"
    write(folder / "stages/known.py")
    for arguments in (
        ["init", "-q"],
        ["add", "stages"],
        ["-c", "user.name=A", "-c", "user.email=a@b.c", "commit", "-qm", "x"],
    ):
        subprocess.run(["git", *arguments], cwd=folder, check=True)
    copy.mkdir(parents=True)
    monkeypatch.chdir(copy)
    monkeypatch.setenv("DVC_ROOT", str(folder))
    return folder


@pytest.mark.parametrize(
    ("present", "ignored", "command"),
    [
        ("data/a b.csv", "", "'data/a b.csv'`"),
        ("data/a b.csv", "*.csv", "--force 'data/a b.csv'`"),
        (
            "data/a b.csv.dvc",
            "*.csv",
            "'data/a b.csv.dvc'`",
        ),  # DVC tracks it, and git not DVC's file
    ],
)
def test_the_command_that_helps_is_named(
    original: Path, present: str, ignored: str, command: str
) -> None:
    write(original / "data/a b.csv")
    write(original / present)
    write(original / ".gitignore", ignored)
    assert absent("data/a b.csv", "usual") == KNOWS_NOT + command


def test_what_the_original_lacks_too_does_not_exist(original: Path) -> None:
    assert not (original / "data/none.csv").exists()
    assert absent("data/none.csv", "which does not exist") == "which does not exist"


def test_outside_of_a_copy_a_file_does_not_exist(
    original: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(original)
    assert absent("data/none.csv", "which does not exist") == "which does not exist"
    monkeypatch.delenv("DVC_ROOT")
    assert absent("data/none.csv", "which does not exist") == "which does not exist"


def test_data_models_and_estimators_say_so(original: Path) -> None:
    for name in ("data/rows.csv", "models/mine.joblib", "my_models.py"):
        write(original / name)
    with pytest.raises(
        UserError,
        match="data.source names 'data/rows.csv', which git does not know.*git add data/rows.csv`",
    ):
        named_file("data/rows.csv", "data.source", Path("data"), (".csv", ".parquet"))
    with pytest.raises(UserError, match="train.model_path names .*git add models/mine.joblib`"):
        named_file("models/mine.joblib", "train.model_path", Path("models"), (".pkl", ".joblib"))
    with (
        pytest.raises(
            UserError,
            match="Mine' cannot be imported: it needs my_models.py, which git .*my_models.py`",
        ),
        absent_modules_named(),
    ):
        build("my_models.Mine", {}, numeric_schema(2), 0)


def test_a_submodule_is_named_by_its_file(original: Path) -> None:
    write(original / "stages/prepare/extra.py")
    error = ImportError(
        "cannot import name 'extra' from 'stages.prepare' (unknown location)", name="stages.prepare"
    )
    assert absent_module(error).startswith("stages/prepare/extra.py, which git does not know")
    assert absent_module(ModuleNotFoundError("No module named 'nowhere'", name="nowhere")) == ""


def test_a_sweep_refuses_files_and_code_before_anything_runs(
    original: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sweep(**overrides: object) -> Sweep:
        return Sweep("mine", (Point("mine-1", {}, default_params(**overrides)),))

    monkeypatch.chdir(original)
    write(original / ".gitignore", "*.csv")
    write(original / "scratch.py")  # nobody imports it
    refuse_untracked(sweep())
    write(original / "data/rows.csv")
    with pytest.raises(
        UserError, match="git does not track data/rows.csv, .*; run `git add --force data/rows.csv`"
    ):
        refuse_untracked(sweep(data__source="data/rows.csv"))
    write(original / "my_models/__init__.py")
    with pytest.raises(UserError, match="git does not track my_models/__init__.py"):
        refuse_untracked(sweep(train__estimator="my_models.forests.Mine"))
    write(original / "stages/prepare/extra.py")
    extra = "stages/prepare/extra.py"
    with pytest.raises(UserError, match=f"git does not track {extra}, .*; run `git add {extra}`"):
        refuse_untracked(sweep())
    assert untracked_code([]) == ["stages/prepare/extra.py"]
    assert cure("stages/prepare/extra.py") == "run `git add stages/prepare/extra.py`"
