"""The encoding of a lossless forest: the smallest that is not predicted to be slower."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxpress.quantize.forest.levels import forest_candidates
from onnxpress.quantize.forest.lossless.rewrite import rewrite_trees
from onnxpress.quantize.forest.lossless.slowdown import slowdown
from onnxpress.quantize.options import Objective, Options
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


def lossless(model: onnx.ModelProto, x: X, objective: Objective = "size") -> onnx.ModelProto:
    """What the pipeline makes of ``model``."""
    (candidate,) = forest_candidates(model, Options(level="lossless", objective=objective))
    return candidate.apply(model, Rows({"X": x}, np.zeros(len(x))))


def operators(model: onnx.ModelProto) -> list[str]:
    """The types of its nodes, without the one that skl2onnx names an output by."""
    return [node.op_type for node in model.graph.node if node.op_type != "Identity"]


def test_one_more_node_is_left_out_where_a_call_is_short() -> None:
    """Twenty rounds of three classes: a call of one row takes 7 microseconds in all."""
    model, x = made("GradientBoostingClassifier", "iris", n_estimators=20)
    assert operators(rewrite_trees(model, ml_opset=5)) == ["TreeEnsemble", "LinearClassifier"]
    fast = lossless(model, x, "latency")
    assert operators(fast) == ["TreeEnsembleClassifier"]
    assert len(fast.SerializeToString()) < len(model.SerializeToString())
    assert operators(lossless(model, x)) == ["TreeEnsemble", "LinearClassifier"]


def test_a_long_call_has_room_for_one_more_node() -> None:
    model, x = made("GradientBoostingClassifier", "digits", **MANY)
    assert operators(lossless(model, x, "latency")) == ["TreeEnsemble", "LinearClassifier"]


def test_a_leaf_table_costs_several_nodes() -> None:
    model, x = made("RandomForestClassifier", "digits", n_estimators=20, max_depth=5)
    table = rewrite_trees(model, ml_opset=5)
    assert "ReduceSum" in operators(table)
    assert slowdown(model, table, rows=1) > 1.1
    assert operators(lossless(model, x, "latency")) == ["TreeEnsembleClassifier"]
    assert operators(lossless(model, x)) == operators(table)


def test_regressors_are_as_fast_as_before() -> None:
    model, x = made("RandomForestRegressor", "diabetes", n_estimators=10)
    assert slowdown(model, rewrite_trees(model, ml_opset=5), rows=1024) == 1
    assert operators(lossless(model, x)) == ["TreeEnsemble"]
