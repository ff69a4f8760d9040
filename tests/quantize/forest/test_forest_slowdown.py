"""The encoding of a lossless forest: the smallest that is not predicted to be slower."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from onnxpress.quantize.forest.levels import forest_candidates
from onnxpress.quantize.forest.lossless.rewrite import rewrite_trees
from onnxpress.quantize.forest.lossless.slowdown import slowdown
from onnxpress.quantize.options import Options
from onnxpress.runtime.sessions import open_session
from onnxpress.tables.rows import Rows
from tests.support.forest_models import converted

X = NDArray[np.float32]
Made = tuple[onnx.ModelProto, X]
MANY = {"n_estimators": 150, "max_depth": 2, "max_features": 4}
"""Of ten classes, 1,500 trees."""


def made(estimator: str, data: str, **settings: Any) -> Made:
    """A fitted and converted estimator, and its rows."""
    from sklearn import datasets, ensemble

    x, y = getattr(datasets, f"load_{data}")(return_X_y=True)
    x = x.astype(np.float32)
    fitted = getattr(ensemble, estimator)(random_state=0, **settings).fit(x, y)
    return converted(fitted, x), x


def lossless(model: onnx.ModelProto, x: X) -> onnx.ModelProto:
    """What the pipeline makes of ``model``."""
    (candidate,) = forest_candidates(model, Options(level="lossless"))
    return candidate.apply(model, Rows({"X": x}, np.zeros(len(x))))


def operators(model: onnx.ModelProto) -> list[str]:
    """The types of its nodes, without the one that skl2onnx names an output by."""
    return [node.op_type for node in model.graph.node if node.op_type != "Identity"]


@pytest.mark.parametrize(
    ("estimator", "data", "settings"),
    [
        ("RandomForestClassifier", "iris", {"n_estimators": 100}),
        ("RandomForestClassifier", "digits", {"n_estimators": 20, "max_depth": 5}),
        ("RandomForestClassifier", "breast_cancer", {"n_estimators": 100}),
        ("RandomForestRegressor", "diabetes", {"n_estimators": 10}),
        ("GradientBoostingRegressor", "diabetes", {"n_estimators": 4}),
        ("GradientBoostingRegressor", "diabetes", {"n_estimators": 40}),
        ("GradientBoostingClassifier", "breast_cancer", {"n_estimators": 10}),
        ("GradientBoostingClassifier", "breast_cancer", {"n_estimators": 100}),
        ("GradientBoostingClassifier", "iris", {"n_estimators": 20}),
        ("GradientBoostingClassifier", "digits", MANY),
    ],
    ids=str,
)
def test_no_lossless_model_is_slower(estimator: str, data: str, settings: dict[str, int]) -> None:
    """Measured side by side, with room for what a busy machine does to a measurement."""
    model, x = made(estimator, data, **settings)
    small = lossless(model, x)
    for rows in (1, 32, 256):
        assert ratio(small, model, np.resize(x, (rows, x.shape[1]))) < 1.12


def test_one_more_node_is_left_out_where_a_call_is_short() -> None:
    """Twenty rounds of three classes: a call of one row takes 7 microseconds in all."""
    model, x = made("GradientBoostingClassifier", "iris", n_estimators=20)
    assert operators(rewrite_trees(model, ml_opset=5)) == ["TreeEnsemble", "LinearClassifier"]
    assert operators(lossless(model, x)) == ["TreeEnsembleClassifier"]
    assert len(lossless(model, x).SerializeToString()) < len(model.SerializeToString())


def test_a_long_call_has_room_for_one_more_node() -> None:
    model, x = made("GradientBoostingClassifier", "digits", **MANY)
    assert operators(lossless(model, x)) == ["TreeEnsemble", "LinearClassifier"]


def test_a_leaf_table_costs_several_nodes() -> None:
    model, x = made("RandomForestClassifier", "digits", n_estimators=20, max_depth=5)
    table = rewrite_trees(model, ml_opset=5)
    assert "ReduceSum" in operators(table)
    assert slowdown(model, table) > 1.1
    assert operators(lossless(model, x)) == ["TreeEnsembleClassifier"]


def test_regressors_are_as_fast_as_before() -> None:
    model, x = made("RandomForestRegressor", "diabetes", n_estimators=10)
    assert slowdown(model, rewrite_trees(model, ml_opset=5)) == 1
    assert operators(lossless(model, x)) == ["TreeEnsemble"]


def ratio(model: onnx.ModelProto, other: onnx.ModelProto, x: X) -> float:
    """The time of a call of ``model`` over that of ``other``, the shortest of many each."""
    sessions = [open_session(each.SerializeToString()) for each in (model, other)]
    shortest = [np.inf, np.inf]
    for _ in range(400):
        for place, session in enumerate(sessions):
            start = time.perf_counter()
            session.run(None, {"X": x})
            shortest[place] = min(shortest[place], time.perf_counter() - start)
    return shortest[0] / shortest[1]
