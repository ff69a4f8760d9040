"""Given models of several targets, tried in the held process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import joblib
import onnx
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge

import onnxpress
from onnxpress.given.sandbox import GivenFile, try_model
from onnxpress.tables.rows import Rows
from tests.support.several_targets import rows, schema

X, Y = rows(200)


def write_forest(path: Path) -> None:
    joblib.dump(RandomForestRegressor(3, random_state=0).fit(X, Y), path)


def write_onnx(path: Path) -> None:
    onnx.save(onnxpress.convert(RandomForestRegressor(3, random_state=0).fit(X, Y), X), path)


def write_other(path: Path) -> None:
    joblib.dump(Ridge().fit(X, Y[:, 0]), path)


@pytest.mark.parametrize(
    ("file", "write", "refused"),
    [
        ("model.joblib", write_forest, None),
        ("model.onnx", write_onnx, None),
        ("other.joblib", write_other, "should predict 2 values per row, for 'price, area', got 1"),
    ],
)
def test_a_given_model_predicts_as_many_numbers_as_there_are_targets(
    workspace: Path, file: str, write: Any, refused: str | None
) -> None:
    path = workspace / "models" / file
    path.parent.mkdir(exist_ok=True)
    write(path)
    few = Rows({"X": X[:50]}, Y[:50])
    tried = try_model(GivenFile(path, (), 200, 4000), Rows({"X": X}, Y), few, schema(Y))
    if refused is not None:
        assert refused in str(tried.outcome.refused)
        return
    assert tried.outcome.refused is None
    assert tried.outcome.values is not None
    assert tried.outcome.values.shape == (50, 2)
