"""The bench of bodies: it times what answers as the model does, and its random models differ."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier

from bench.edge import report
from bench.edge.bodies_picture import MARKS, picture, points
from bench.edge.building import run
from bench.edge.contestants import onnxpress
from bench.edge.random_models import random_model
from onnxpress import convert
from onnxpress.graph.canonical import to_bytes
from tests.support.compilers import tool


def test_what_is_timed_gives_the_labels_of_the_model() -> None:
    tool("gcc")
    x, y = load_iris(return_X_y=True)
    forest = RandomForestClassifier(5, random_state=0).fit(x, y)
    labels, ns = run(onnxpress(convert(forest, x)), x.astype(np.float32))
    np.testing.assert_array_equal(labels, forest.predict(x.astype(np.float32)))
    assert ns > 0


def test_a_seed_gives_one_model_and_others_give_others() -> None:
    models = [to_bytes(random_model(seed)[1]) for seed in (0, 0, 6)]
    assert models[0] == models[1] != models[2]


def test_the_page_says_how_many_models_differ() -> None:
    equal = {"models": 7, "equal": 4, "rows": 1000, "left_out": 3, "different": [1, 2]}
    text = report.page({"equal": {**equal, "refused": ["5, net: why"]}, "tables": []})
    assert "4 of 6 random models" in text
    assert "- 5, net: why" in text


def test_the_committed_picture_is_of_the_committed_run_and_has_every_body() -> None:
    root = Path(__file__).parents[2]
    tables = json.loads((root / "bench/results/edge.json").read_text(encoding="utf-8"))["tables"]
    assert picture(tables) == (root / "docs/bodies.png").read_bytes()
    for name in ("iris", "breast_cancer"):
        shown = points(row for row in tables if row["table"] == name)
        assert {point.kind for point in shown} == set(MARKS)
        labels = {point.name for point in shown} - {""}
        assert labels == {
            *("C", "WebAssembly", "onnxruntime", "onnxruntime-web"),
            *("SQL in SQLite", "SQL in DuckDB"),
        }
