"""Layers in fewer bits.

Linear operators become matrix products with the same predictions; weights lose what int8 loses.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import LinearSVC

from onnxpress.conversion.converting import to_onnx
from onnxpress.quantize.candidates import NotApplicable
from onnxpress.quantize.dense.linear import as_products, is_linear
from onnxpress.quantize.dense.static import static
from onnxpress.quantize.dense.stored import dense_candidates, float16
from onnxpress.quantize.options import Options
from onnxpress.runtime.sessions import open_session
from onnxpress.tables.rows import Rows
from tests.conftest import digits_rows, numeric_schema

NOTHING = Rows({}, np.zeros(0))
DIGITS, WORDS = load_digits(return_X_y=True), np.array(["nought", *"abcdefghi"])
BINARY = load_breast_cancer(return_X_y=True)
CASES: dict[str, tuple[Any, Any, Any]] = {
    "softmax": (LogisticRegression(max_iter=200), *DIGITS),
    "two classes": (LogisticRegression(max_iter=5000), *BINARY),
    "decision scores": (LinearSVC(max_iter=5000, random_state=0), *DIGITS),
    "words": (LogisticRegression(max_iter=200), DIGITS[0], WORDS[DIGITS[1]]),
    "one of many": (OneVsRestClassifier(LogisticRegression(max_iter=200)), *DIGITS),
    "regression": (LinearRegression(), *load_diabetes(return_X_y=True)),
}


@pytest.fixture(scope="module", params=list(CASES))
def case(request: pytest.FixtureRequest) -> tuple[onnx.ModelProto, NDArray[np.float32]]:
    """A linear model as skl2onnx writes it, and rows."""
    estimator, x, y = CASES[request.param]
    x = x.astype(np.float32) / (1 if request.param == "two classes" else 16)
    task = "regression" if request.param == "regression" else "classification"
    return to_onnx(estimator.fit(x, y), numeric_schema(x.shape[1], task), 12), x


def answers(model: onnx.ModelProto, x: NDArray[np.float32]) -> list[NDArray[Any]]:
    return list(open_session(model.SerializeToString()).run(None, {"X": x}))


def test_as_a_product_a_linear_model_predicts_as_the_operator_does(
    case: tuple[onnx.ModelProto, NDArray[np.float32]],
) -> None:
    model, x = case
    assert any(is_linear(node) for node in model.graph.node)
    products = as_products(model, 1)
    assert not any(is_linear(node) for node in products.graph.node)
    onnx.checker.check_model(products, full_check=True)
    with np.errstate(over="ignore", invalid="ignore"):  # of the evaluator's sigmoid
        reference = [
            np.asarray(value) for value in ReferenceEvaluator(products).run(None, {"X": x})
        ]
    for before, after, referred in zip(
        answers(model, x), answers(products, x), reference, strict=True
    ):
        assert (before.dtype, before.shape) == (after.dtype, after.shape)
        if before.dtype.kind == "f":
            np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(after, referred, rtol=1e-4, atol=1e-5)
        else:
            np.testing.assert_array_equal(after, before)


def test_a_small_linear_model_is_left_as_it_is_and_that_is_said() -> None:
    estimator, x, y = CASES["regression"]
    model = to_onnx(estimator.fit(x.astype(np.float32), y), numeric_schema(10, "regression"), 12)
    assert as_products(model, 1024).graph.node == model.graph.node
    assert dense_candidates(model, Options()) == []
    with pytest.raises(
        NotApplicable, match="no layer of 1024 weights or more, and smaller ones stay in float32"
    ):
        float16(model, NOTHING)


def test_an_operator_with_a_post_transform_of_its_own_stays() -> None:
    estimator, x, y = CASES["softmax"]
    model = to_onnx(estimator.fit(x.astype(np.float32), y), numeric_schema(64), 12)
    (node,) = [node for node in model.graph.node if is_linear(node)]
    for item in node.attribute:
        if item.name == "post_transform":
            item.s = b"PROBIT"
    assert next(item.op_type for item in as_products(model, 1).graph.node) == "LinearClassifier"


def test_a_large_linear_model_shrinks_fourfold_and_its_scores_move_by_the_rounding_of_int8() -> (
    None
):
    random = np.random.default_rng(0)
    weights = random.normal(size=(20, 5000)).astype(np.float32)
    node = helper.make_node(
        "LinearClassifier",
        ["X"],
        ["label", "probabilities"],
        domain="ai.onnx.ml",
        coefficients=weights.ravel().tolist(),
        intercepts=[0.0] * 20,
        classlabels_ints=list(range(20)),
        post_transform="NONE",
    )
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [node],
        "linear",
        [value("X", onnx.TensorProto.FLOAT, [None, 5000])],
        [
            value("label", onnx.TensorProto.INT64, [None]),
            value("probabilities", onnx.TensorProto.FLOAT, [None, 20]),
        ],
    )
    opsets = [helper.make_opsetid("", 12), helper.make_opsetid("ai.onnx.ml", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=7)
    (candidate,) = [one for one in dense_candidates(model, Options()) if one.form == "int8"]
    small = candidate.apply(model, NOTHING)
    assert small.ByteSize() < model.ByteSize() / 3.9
    (stored,) = [
        item for item in small.graph.initializer if item.data_type == onnx.TensorProto.INT8
    ]
    assert sorted(numpy_helper.to_array(stored).shape) == [20, 5000]
    x = random.normal(size=(100, 5000)).astype(np.float32)
    step = np.abs(weights).max(axis=1) / 127
    bound = (
        6 * np.sqrt(5000 / 12) * step
    )  # six standard deviations of 5,000 roundings of up to half a step
    assert (np.abs(answers(small, x)[1] - x @ weights.T) < bound).all()


def test_the_matrices_of_neighbours_and_machines_are_no_layers() -> None:
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.svm import SVC

    rows = digits_rows(0, 500)
    for estimator in (KNeighborsClassifier(), SVC()):
        model = to_onnx(estimator.fit(rows.feeds["X"], rows.target), numeric_schema(64), 12)
        with pytest.raises(NotApplicable):
            static(model, rows)
        with pytest.raises(NotApplicable):
            float16(model, rows)
