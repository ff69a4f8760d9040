from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto
from onnx.reference import ReferenceEvaluator
from sklearn import datasets
from sklearn.base import is_regressor
from sklearn.ensemble import StackingClassifier
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR, NuSVC, NuSVR

from bench.plain import plainly_converted
from onnxpress.conversion.converting import to_onnx
from onnxpress.estimators.predicting import by_class
from onnxpress.graph.kernel_machine import LARGE, VECTORS
from onnxpress.graph.neighbor_names import ROWS
from onnxpress.graph.svm_nodes import is_svm, rewrite_svm_nodes
from onnxpress.runtime.sessions import open_session
from tests.conftest import numeric_schema

DATA = {
    name: getattr(datasets, f"load_{name}")
    for name in ("digits", "breast_cancer", "wine", "diabetes")
}
KERNELS = ("linear", "rbf", "poly", "sigmoid")


def rows_of(name: str) -> tuple[NDArray[np.float32], NDArray[Any]]:
    x, y = DATA[name](return_X_y=True)
    return x.astype(np.float32), y


def converted(
    estimator: Any, x: NDArray[np.float32], y: NDArray[Any], opset: int = 12
) -> onnx.ModelProto:
    """The estimator fitted on every second row, as ONNX.

    The warnings are scikit-learn's about ``probability``.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        estimator.fit(x[::2], y[::2])
    return to_onnx(
        estimator,
        numeric_schema(x.shape[1], "regression" if is_regressor(estimator) else "classification"),
        opset,
    )


def asked(model: onnx.ModelProto, x: NDArray[np.float32]) -> list[Any]:
    return list(open_session(model.SerializeToString()).run(None, {"X": x}))


def operators(model: onnx.ModelProto) -> set[str]:
    return {node.op_type for node in model.graph.node}


def numbers(model: onnx.ModelProto, prefix: str) -> int:
    return sum(tensor.name.startswith(prefix) for tensor in model.graph.initializer)


# --- support vector machines ----------------------------------------------------------------------


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("data", ["digits", "breast_cancer", "wine"])
@pytest.mark.parametrize("family", [SVC, NuSVC])
def test_classifiers_answer_as_scikit_learn_does(family: Any, data: str, kernel: str) -> None:
    x, y = rows_of(data)
    estimator = make_pipeline(
        StandardScaler(), family(kernel=kernel, **({"nu": 0.1} if family is NuSVC else {}))
    )
    model = converted(estimator, x, y)
    label, scores = asked(model, x)
    expected = by_class(estimator.decision_function(x).reshape(len(x), -1))
    assert (label == estimator.predict(x)).all()
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-5)
    assert not operators(model) & {"SVMClassifier", "ArrayFeatureExtractor"}


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("estimator", [SVR(C=100), NuSVR(C=100)], ids=["SVR", "NuSVR"])
def test_regressors_predict_as_scikit_learn_does(estimator: Any, kernel: str) -> None:
    x, y = rows_of("diabetes")
    model = converted(estimator.set_params(kernel=kernel), x, y)
    (prediction,) = asked(model, x)
    assert prediction.shape == (len(x), 1)
    np.testing.assert_allclose(prediction[:, 0], estimator.predict(x), atol=5e-5 * y.std())
    assert "SVMRegressor" not in operators(model)


@pytest.mark.parametrize("data", ["digits", "breast_cancer", "wine"])
def test_probabilities_are_coupled_by_an_operator_that_is_given_decisions(data: str) -> None:
    x, y = rows_of(data)
    estimator = make_pipeline(StandardScaler(), SVC(probability=True, random_state=0))
    model = converted(estimator, x, y)
    label, probabilities = asked(model, x)
    assert (label == estimator.predict(x)).all()
    np.testing.assert_allclose(probabilities, estimator.predict_proba(x), atol=1e-5)
    assert numbers(model, VECTORS) == 1
    (coupling,) = [node for node in model.graph.node if node.op_type == "SVMClassifier"]
    held = next(item for item in coupling.attribute if item.name == "support_vectors")
    classes = len(estimator.classes_)
    assert len(held.floats) == (classes * (classes - 1) // 2) ** 2


@pytest.mark.parametrize(
    "options", [{"break_ties": True}, {"decision_function_shape": "ovo"}], ids=["break_ties", "ovo"]
)
def test_the_rules_of_three_and_more_classes(options: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)  # classes drawn at random: votes are often tied
    x, y = rng.normal(size=(400, 3)).astype(np.float32), rng.integers(0, 5, 400)
    estimator = SVC(**options)
    label, scores = asked(converted(estimator, x, y), x)
    assert (label == estimator.predict(x)).all()
    np.testing.assert_allclose(scores, estimator.decision_function(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("data", ["breast_cancer", "wine"])
def test_string_labels(data: str) -> None:
    x, y = rows_of(data)
    names = np.array(["zero", "one", "two"])[y]
    for estimator in (SVC(), KNeighborsClassifier()):
        label, _ = asked(converted(estimator, x, names), x)
        assert (label == estimator.predict(x)).all()


@pytest.mark.parametrize(
    "estimator", [NuSVC(nu=0.1), SVC(C=100), SVC(C=100, kernel="poly")], ids=str
)
def test_decisions_of_large_terms_are_summed_in_float64(estimator: Any) -> None:
    x, y = datasets.make_classification(
        2000, 5, n_informative=5, n_redundant=0, flip_y=0.1, random_state=0
    )
    x = (x * [1, 100, 0.1, 20, 3]).astype(np.float32)
    model = converted(estimator, x, y)
    label, scores = asked(model, x)
    assert (label == estimator.predict(x)).all()
    assert np.abs(estimator.dual_coef_).sum() > LARGE
    assert TensorProto.DOUBLE in {
        item.i for node in model.graph.node if node.op_type == "Cast" for item in node.attribute
    }
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores[:, 1], estimator.decision_function(x), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(scores[:, 0], -scores[:, 1])


def test_a_linear_machine_is_exact_on_columns_that_are_not_scaled() -> None:
    x, y = rows_of("breast_cancer")
    estimator = SVC(kernel="linear")
    label, scores = asked(converted(estimator, x, y), x)
    assert (label == estimator.predict(x)).all()
    np.testing.assert_allclose(scores[:, 1], estimator.decision_function(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(
    ("data", "family"), [("wine", SVC), ("breast_cancer", SVC), ("diabetes", SVR)]
)
def test_operators_of_a_model_converted_elsewhere_become_products_with_the_same_outputs(
    data: str, family: Any, kernel: str
) -> None:
    x, y = rows_of(data)
    x = StandardScaler().fit_transform(x).astype(np.float32)
    foreign = plainly_converted(family(kernel=kernel).fit(x, y), x.shape[1])
    model, reasons = rewrite_svm_nodes(foreign)
    assert any(is_svm(node) for node in foreign.graph.node)
    assert not reasons
    assert not any(is_svm(node) for node in model.graph.node)
    for found, expected in zip(asked(model, x), asked(foreign, x), strict=True):
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


# --- nearest neighbours ---------------------------------------------------------------------------


@pytest.mark.parametrize("metric", ["minkowski", "sqeuclidean", "cosine"])
@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("data", list(DATA))
def test_neighbours_answer_as_scikit_learn_does_also_on_stored_rows(
    data: str, weights: str, metric: str
) -> None:
    x, y = rows_of(data)
    estimator = (KNeighborsRegressor if data == "diabetes" else KNeighborsClassifier)(
        weights=weights, metric=metric
    )
    model = converted(estimator, x, y)
    answers = asked(model, x)  # every second row is stored
    values = answers[0].reshape(-1)
    if data == "diabetes":
        np.testing.assert_allclose(values, estimator.predict(x), rtol=1e-5)
    else:
        assert (values == estimator.predict(x)).all()
        # weights by nearly equal cosines: the rows differ by less than float32 unit vectors do
        # from float64 ones
        tolerance = 0.03 if (weights, metric) == ("distance", "cosine") else 1e-5
        np.testing.assert_allclose(answers[1], estimator.predict_proba(x), atol=tolerance)
    assert numbers(model, ROWS) == 1


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_ties_take_the_row_stored_first_and_the_first_label(weights: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 4, (600, 5)).astype(np.float32), rng.integers(0, 4, 600)
    estimator = KNeighborsClassifier(weights=weights)
    label, probabilities = asked(converted(estimator, x, y), x)
    squares = np.square(x[:, None].astype(np.int64) - x[None, ::2].astype(np.int64)).sum(axis=2)
    order = np.argsort(squares, axis=1, kind="stable")
    distance = np.sqrt(np.take_along_axis(squares, order, axis=1))
    with np.errstate(divide="ignore"):
        share = np.where((distance == 0).any(axis=1, keepdims=True), distance == 0, 1 / distance)[
            :, :5
        ]
    share = share if weights == "distance" else np.ones_like(share)
    votes = np.stack(
        [(share * (y[::2][order[:, :5]] == number)).sum(axis=1) for number in range(4)], axis=1
    )
    np.testing.assert_allclose(probabilities, votes / votes.sum(axis=1, keepdims=True), atol=1e-6)
    if weights == "uniform":
        assert (label == votes.argmax(axis=1)).all()
    clear = distance[:, 4] < distance[:, 5]  # elsewhere scikit-learn's choice depends on its search
    assert clear.sum() > 50
    assert (label == estimator.predict(x))[clear].mean() == 1


def test_cancellation_does_not_change_neighbours_far_from_the_origin() -> None:
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=(600, 8)) + 1000).astype(np.float32), rng.integers(0, 4, 600)
    x[:, 0] *= 30  # a column of its own size
    estimator = KNeighborsClassifier()
    label, probabilities = asked(converted(estimator, x, y), x)
    assert (label == estimator.predict(x)).all()
    np.testing.assert_allclose(probabilities, estimator.predict_proba(x), atol=1e-6)


def test_more_neighbours_than_are_looked_up_twice() -> None:
    x, y = rows_of("wine")
    estimator = KNeighborsClassifier(n_neighbors=8)
    label, _ = asked(converted(estimator, x[:18], y[:18]), x)  # nine rows are stored
    assert (label == estimator.predict(x)).all()


def test_metrics_that_no_product_covers_stay_with_skl2onnx() -> None:
    x, y = rows_of("wine")
    estimator = KNeighborsClassifier(metric="manhattan")
    model = converted(estimator, x, y)
    assert numbers(model, ROWS) == 0
    assert (asked(model, x)[0] == estimator.predict(x)).all()


# --- both -----------------------------------------------------------------------------------------

EVERY = [
    SVC(),
    SVC(kernel="poly"),
    SVC(break_ties=True),
    KNeighborsClassifier(weights="distance"),
    KNeighborsClassifier(metric="cosine"),
]


@pytest.mark.parametrize("opset", [11, 13, 18, 22])
@pytest.mark.parametrize("estimator", EVERY, ids=str)
def test_every_opset_and_the_reference_implementation_give_the_same(
    estimator: Any, opset: int
) -> None:
    x, y = rows_of("wine")
    model = converted(estimator, x, y, opset)
    onnx.checker.check_model(model, full_check=True)
    label, scores = asked(model, x)
    assert (label == estimator.predict(x)).all()
    expected_label, expected_scores = (
        np.asarray(found) for found in ReferenceEvaluator(model).run(None, {"X": x[:50]})
    )
    assert (expected_label == label[:50]).all()
    np.testing.assert_allclose(expected_scores, scores[:50], atol=1e-4)


def test_both_inside_a_stacking() -> None:
    x, y = rows_of("wine")
    x = StandardScaler().fit_transform(x).astype(np.float32)
    estimator = StackingClassifier([("machine", SVC()), ("neighbours", KNeighborsClassifier())])
    model = converted(estimator, x, y)
    label, probabilities = asked(model, x)
    assert (label == estimator.predict(x)).all()
    np.testing.assert_allclose(probabilities, estimator.predict_proba(x), atol=1e-5)
    assert (numbers(model, VECTORS), numbers(model, ROWS)) == (1, 1)
