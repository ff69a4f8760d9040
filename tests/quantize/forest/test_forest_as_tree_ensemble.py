"""A refined forest as one tree ensemble predicts as its operators do, under the same outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from onnxpress.graph.canonical import to_bytes
from onnxpress.quantize.candidates import NotApplicable, Rung
from onnxpress.quantize.forest.levels import forest_candidates
from onnxpress.quantize.forest.lossless.rewrite import rewrite_trees
from onnxpress.quantize.forest.refined.as_tree_ensemble import as_tree_ensemble
from onnxpress.quantize.forest.refined.ladder import refined
from onnxpress.quantize.options import Objective, Options
from onnxpress.tables.rows import Rows
from tests.support.forest_models import converted, outputs

RUNG = Rung(trees=8, depth=4)
Case = tuple[Any, NDArray[np.float32], NDArray[Any]]


def classes(name: str) -> Case:
    from sklearn import datasets
    from sklearn.ensemble import RandomForestClassifier

    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return RandomForestClassifier(20, random_state=0), x.astype(np.float32), y


def words() -> Case:
    model, x, y = classes("iris")
    return model, x, np.array(["setosa", "versicolor", "virginica"])[y]


def values() -> Case:
    from sklearn.datasets import load_diabetes
    from sklearn.ensemble import ExtraTreesRegressor

    x, y = load_diabetes(return_X_y=True)
    return ExtraTreesRegressor(20, random_state=0), x.astype(np.float32), y


def scaled() -> Case:
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    _, x, y = classes("wine")
    return (
        make_pipeline(
            StandardScaler(), GradientBoostingClassifier(n_estimators=10, random_state=0)
        ),
        x,
        y,
    )


CASES = {
    "three classes": lambda: classes("iris"),
    "two classes": lambda: classes("breast_cancer"),
    "words": words,
    "regression": values,
    "behind a scaler": scaled,
}


@pytest.fixture(scope="module", params=list(CASES))
def forms(
    request: pytest.FixtureRequest,
) -> tuple[onnx.ModelProto, onnx.ModelProto, NDArray[np.float32]]:
    """The operators, the tree ensemble, and rows with missing and infinite values."""
    estimator, x, y = CASES[request.param]()
    model, rows = converted(estimator.fit(x, y), x), Rows({"X": x}, y)
    arrays = refined(model, rows, rung=RUNG, seed=0)
    x = x.copy()
    x[::7, 0], x[1::7, 1], x[2::7, 2] = np.nan, np.inf, -np.inf
    return arrays, refined(model, rows, rung=RUNG, seed=0, write=as_tree_ensemble), x


def test_it_predicts_as_the_operators_do(
    forms: tuple[onnx.ModelProto, onnx.ModelProto, NDArray[np.float32]],
) -> None:
    arrays, node, x = forms
    for one, other in zip(outputs(arrays, x), outputs(node, x), strict=True):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        if one.dtype.kind == "f":
            np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)
        else:
            np.testing.assert_array_equal(one, other)


def test_the_reference_evaluator_agrees(
    forms: tuple[onnx.ModelProto, onnx.ModelProto, NDArray[np.float32]],
) -> None:
    _, node, x = forms
    x = x[~np.isnan(x).any(axis=1)][
        :60
    ]  # the evaluator takes no missing value where no node has a flag for them
    for one, other in zip(
        outputs(node, x), map(np.asarray, ReferenceEvaluator(node).run(None, {"X": x})), strict=True
    ):
        if one.dtype.kind == "f":
            np.testing.assert_allclose(one, other.reshape(one.shape), rtol=1e-5, atol=1e-6)
        else:
            np.testing.assert_array_equal(one, other)


def test_there_is_one_tree_node_and_nothing_after_it_but_what_keeps_answers_positive(
    forms: tuple[onnx.ModelProto, onnx.ModelProto, NDArray[np.float32]],
) -> None:
    _, node, _ = forms
    onnx.checker.check_model(node, full_check=True)
    nodes = [item for item in node.graph.node if item.op_type != "Max"]  # keeps answers positive
    last = nodes[-1]
    assert last.op_type in {"TreeEnsembleClassifier", "TreeEnsembleRegressor"}
    if len(nodes) == len(node.graph.node):
        assert list(last.output) == [value.name for value in node.graph.output]
    assert sum(item.op_type.startswith("TreeEnsemble") for item in node.graph.node) == 1


def test_it_is_tried_where_the_fastest_is_looked_for() -> None:
    estimator, x, y = classes("iris")
    model = converted(estimator.fit(x, y), x)

    def forms_for(objective: Objective) -> set[str]:
        return {item.form for item in forest_candidates(model, Options(objective=objective))}

    assert forms_for("size") == {"lossless", "refined", "faithful"}
    # A row takes ten operators longer than one node of twenty small trees.
    assert forms_for("latency") == {"lossless", "refined_node", "faithful"}
    assert forms_for("throughput") == {"lossless", "refined", "refined_node", "faithful"}


def test_a_model_of_version_five_has_no_such_operator() -> None:
    estimator, x, y = classes("iris")
    modern = rewrite_trees(converted(estimator.fit(x, y), x), ml_opset=5)
    assert to_bytes(refined(modern, Rows({"X": x}, y), rung=RUNG, seed=0))
    with pytest.raises(NotApplicable, match=r"ai\.onnx\.ml 5"):
        refined(modern, Rows({"X": x}, y), rung=RUNG, seed=0, write=as_tree_ensemble)
