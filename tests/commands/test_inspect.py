"""`onnxpress inspect` shows what a file holds, and runs nothing of it."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
import pytest
from onnx import TensorProto, helper
from sklearn.datasets import load_iris
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import onnxpress
from onnxpress.commands.inspect.inspecting import described, lines, main
from onnxpress.errors import UserError

X, y = load_iris(return_X_y=True, as_frame=True)


def stored(folder: Path, estimator: Any, name: str = "model.joblib") -> Path:
    path = folder / name
    joblib.dump(estimator, path)
    return path


def test_of_an_onnx_file_its_interface_operators_trees_and_runtimes(tmp_path: Path) -> None:
    forest = RandomForestClassifier(7, random_state=0).fit(X.to_numpy(), y)
    path = tmp_path / "forest.onnx"
    path.write_bytes(onnxpress.convert(forest, X.to_numpy(), opset=13).SerializeToString())
    found = described(path)
    assert found["inputs"] == [{"name": "X", "type": "float", "shape": [None, 4]}]
    assert [value["name"] for value in found["outputs"]] == ["label", "probabilities"]
    assert found["operators"] == {"TreeEnsembleClassifier": 1}
    leaves = sum(tree.get_n_leaves() for tree in forest.estimators_)
    assert found["trees"] == {"trees": 7, "splits": leaves - 7, "leaves": leaves}
    assert sum(found["bytes_by_part"].values()) == found["bytes"] == path.stat().st_size
    assert found["opsets"] == {"ai.onnx": 13, "ai.onnx.ml": 1}
    assert found["onnxruntime"] == "1.6 to 1.32.0"


def test_a_model_without_trees_shows_none(tmp_path: Path) -> None:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Identity", ["a"], ["b"])],
        "g",
        [value("a", TensorProto.FLOAT, [None, 2])],
        [value("b", TensorProto.FLOAT, [None, 2])],
    )
    path = tmp_path / "model.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    names = [name for name, _ in lines(described(path))]
    assert "operators" in names
    assert "trees" not in names


@pytest.mark.parametrize(
    ("estimator", "trees"),
    [
        (RandomForestClassifier(5, random_state=0), 5),
        (HistGradientBoostingClassifier(max_iter=4, random_state=0), 12),
    ],
)
def test_of_a_stored_estimator_its_class_columns_classes_and_trees(
    tmp_path: Path, estimator: Any, trees: int
) -> None:
    found = described(stored(tmp_path, estimator.fit(X, y)))
    assert found["class"].endswith(type(estimator).__name__)
    assert (found["features"], found["columns"]) == (4, list(X.columns))
    assert (found["classes"], found["trees"]["trees"], found["loads"]) == ([0, 1, 2], trees, True)


def test_of_a_pipeline_its_steps(tmp_path: Path) -> None:
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(X, y)
    found = described(stored(tmp_path, pipeline))
    assert found["steps"] == [
        "standardscaler: StandardScaler",
        "logisticregression: LogisticRegression",
    ]


class Evil:
    """What a pickle makes by calling a function."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder / "made"),)


def test_a_hostile_pickle_is_described_and_not_run(tmp_path: Path) -> None:
    path = tmp_path / "evil.pkl"
    path.write_bytes(pickle.dumps(Evil(tmp_path)))
    found = described(path)
    assert (found["calls"], found["loads"]) == ("posix.mkdir", False)
    assert "nothing of it was made" in found["because"]
    assert not (tmp_path / "made").exists()


def test_a_class_of_others_is_named_with_the_reason(tmp_path: Path) -> None:
    found = described(stored(tmp_path, pd.DataFrame({"a": [1]}), "frame.pkl"))
    assert (found["class"].rpartition(".")[2], found["loads"]) == ("DataFrame", False)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.txt", b"", "FILE should be a .onnx, .joblib, .pkl or .skops file"),
        ("a.pkl", b"\x80\x04abc", "is not a whole joblib file"),
        ("a.skops", b"PK", "is not a whole skops file"),
        ("a.onnx", b"<html>", "is text (of a web page, perhaps), no model"),
        ("b.onnx", None, "cannot read"),
    ],
)
def test_what_is_no_model_is_one_line(
    tmp_path: Path, name: str, content: bytes | None, expected: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError) as error:
        described(path)
    assert expected in str(error.value)


def test_a_script_gets_one_json_document(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(stored(tmp_path, LogisticRegression(max_iter=1000).fit(X, y)), in_json=True)
    printed = capsys.readouterr()
    assert json.loads(printed.out)["class"].endswith("LogisticRegression")
