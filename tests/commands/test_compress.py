"""`onnxpress compress` on files, without any repository."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import onnxruntime as ort
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier

import onnxpress
from onnxpress.cli import main
from tests.conftest import ROOT
from tests.support.without_extras import WITHOUT_EXTRAS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A stored forest, its rows as CSV, and nothing else."""
    rows, target = load_wine(return_X_y=True, as_frame=True)
    joblib.dump(RandomForestClassifier(20, random_state=0).fit(rows, target), tmp_path / "m.joblib")
    rows.assign(kind=target).to_csv(tmp_path / "rows.csv", index=False)
    return tmp_path


def compress(folder: Path, *words: str, model: str = "m.joblib", data: str = "rows.csv") -> int:
    """Run the command in this process; its exit code."""
    given = ["compress", str(folder / model), "--data", str(folder / data), "--level", "lossless"]
    try:
        main([*given, "-o", str(folder / "out.onnx"), *words])
    except SystemExit as end:
        return int(str(end.code))
    return 0


def test_the_model_is_written_and_its_cost_is_printed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compress(folder, "--target", "kind") == 0
    printed = capsys.readouterr().out
    assert "forest/lossless chosen: " in printed
    assert "same prediction on 178 of 178 rows" in printed
    assert "score lost: 0 (" in printed
    rows = pd.read_csv(folder / "rows.csv").drop(columns="kind")
    session = ort.InferenceSession((folder / "out.onnx").read_bytes())
    label, _ = session.run(None, {"X": rows.to_numpy(np.float32)})
    assert (label == joblib.load(folder / "m.joblib").predict(rows)).all()
    assert sorted(path.name for path in folder.iterdir()) == ["m.joblib", "out.onnx", "rows.csv"]


def test_it_does_what_the_function_does(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compress(folder, "--target", "kind", "--json", "--seed", "3") == 0
    answer = json.loads(capsys.readouterr().out)
    table = pd.read_csv(folder / "rows.csv")
    result = onnxpress.compress(
        folder / "m.joblib",
        table.drop(columns="kind"),
        table["kind"],
        level="lossless",
        seed=3,
    )
    assert (folder / "out.onnx").read_bytes() == result.data
    assert answer["choice"] == json.loads(json.dumps(result.to_json()))
    assert (answer["candidate"], answer["score_drop"]) == ("forest/lossless", 0.0)
    assert answer["bytes"] == {
        "model": (folder / "m.joblib").stat().st_size,
        "onnx": len(result.plain),
        "out": len(result.data),
    }


def test_columns_of_a_file_are_typed_as_by_the_pipeline(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = pd.read_csv(ROOT / "data/penguins.csv").dropna()
    rows["id"] = range(2**25, 2**25 + len(rows))  # more digits than float32 has
    rows.to_csv(tmp_path / "rows.csv", index=False)
    features = ["island", "bill_length_mm", "body_mass_g"]
    encoder = make_column_transformer((OneHotEncoder(), ["island"]), remainder="passthrough")
    model = make_pipeline(encoder, DecisionTreeClassifier(max_depth=4))
    joblib.dump(model.fit(rows[features], rows["species"]), tmp_path / "m.joblib")
    assert compress(tmp_path, "--target", "species", "--method", "none") == 0
    printed = capsys.readouterr().out
    assert "warning: " in printed
    assert "'id'" in printed
    assert "same prediction on 333 of 333 rows" in printed


def test_an_onnx_model_can_be_compressed_too(folder: Path) -> None:
    table = pd.read_csv(folder / "rows.csv").drop(columns="kind")
    plain = onnxpress.convert(onnxpress.load_estimator(folder / "m.joblib"), table)
    (folder / "given.onnx").write_bytes(plain.SerializeToString())
    assert compress(folder, "--target", "kind", model="given.onnx") == 0
    assert (folder / "out.onnx").stat().st_size < (folder / "given.onnx").stat().st_size / 2


def test_no_file_is_replaced_unasked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "out.onnx").write_bytes(b"precious")
    assert compress(folder, "--target", "kind") == 2
    assert "is there already; choose another name, or pass --force" in capsys.readouterr().err
    assert (folder / "out.onnx").read_bytes() == b"precious"
    assert compress(folder, "--target", "kind", "--force", "--method", "none") == 0
    assert (folder / "out.onnx").read_bytes() != b"precious"


class Evil:
    """What a pickle makes by calling a function."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder / "made"),)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--target", "sort"), "--target 'sort' is not a column of"),
        (("--target", "kind", "--score", "r2"), "--score 'r2' is for regression, and the target"),
        (
            ("--target", "kind", "--budget", "score"),
            "Invalid value for '--budget': should be a key and a number, such as score=",
        ),
        (
            ("--target", "kind", "--budget", "score=-1"),
            "--budget score should be a number from 0 on or null, got -1.0",
        ),
        (("--target", "kind", "-o", "m.txt"), "--out should end in .onnx, got 'm.txt'"),
        (("--target", "kind", "-o", "no/m.onnx"), "--out should lie in a folder that is there"),
        (("--target", "kind", "--data", "no.csv"), "--data names 'no.csv', which is not a file"),
        (("--target", "alcohol", "--task", "regression"), "--task"),
    ],
)
def test_a_mistake_is_one_line(
    words: tuple[str, ...], expected: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compress(folder, *words) == 2
    errors = capsys.readouterr().err
    assert errors.startswith("compress: ")
    assert expected in errors
    assert len(errors.splitlines()) == 1
    assert not (folder / "out.onnx").exists()


def test_a_hostile_pickle_is_refused_and_not_run(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "evil.pkl").write_bytes(pickle.dumps(Evil(folder)))
    assert compress(folder, "--target", "kind", model="evil.pkl") == 2
    assert "nothing of it was made" in capsys.readouterr().err
    assert not (folder / "made").exists()


def test_it_needs_no_extras(folder: Path) -> None:
    words = ["compress", "m.joblib", "--data", "rows.csv", "--target", "kind", "-o", "out.onnx"]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRAS, *words, "--method", "none"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (folder / "out.onnx").exists()
