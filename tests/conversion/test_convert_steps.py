"""K-means as a step, ties of gradient boosting, Poisson networks, and refusals in plain words."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from sklearn.cluster import BisectingKMeans, KMeans, MiniBatchKMeans
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import BaggingClassifier, GradientBoostingClassifier
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.impute import KNNImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsTransformer
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import onnxpress
from onnxpress.conversion.converters.functions import FUNCTIONS
from onnxpress.errors import UserError

X = np.random.default_rng(0).normal(size=(120, 4)).astype(np.float32)
CLASSES = np.digitize(X[:, 0] + X[:, 1], [-0.5, 0.5])


def outputs(model: Any, x: NDArray[np.float32]) -> list[NDArray[Any]]:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return list(session.run(None, {"X": x}))


@pytest.mark.parametrize("opset", [11, 12, 18, 22])
@pytest.mark.parametrize("kind", [KMeans, MiniBatchKMeans, BisectingKMeans])
def test_distances_to_centres_are_those_of_scikit_learn(kind: Any, opset: int) -> None:
    far = X * 100 + np.float32(1e5)  # of which float32 sums of squares lose all digits
    estimator = make_pipeline(kind(3, random_state=0), StandardScaler(), Ridge()).fit(far, X[:, 0])
    found = outputs(onnxpress.convert(estimator, far, opset=opset), far)[0]
    np.testing.assert_allclose(found[:, 0], estimator.predict(far), atol=1e-4)


def test_centres_may_stand_in_a_union_and_in_a_bag() -> None:
    inner = make_pipeline(make_union(StandardScaler(), KMeans(3)), LogisticRegression())
    estimator = BaggingClassifier(inner, 3, random_state=0).fit(X, CLASSES)
    label, probabilities = outputs(onnxpress.convert(estimator, X), X)
    assert label.tolist() == estimator.predict(X).tolist()
    np.testing.assert_allclose(probabilities, estimator.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize("p", [1, 1.5, 2])
def test_the_nearest_of_rows_that_are_equally_near_in_float32_is_found(p: float) -> None:
    """Their distances to 0, to the power of p, are 1 + 0.9 and 1 + 0.6 of float32's step at 1."""
    further, nearer = (np.array([0.9, 0.6]) * 2.0**-23) ** (1 / p)
    x = np.array([[1, further], [1, nearer], [5, 5], [6, 6]], np.float32)
    graph = KNeighborsTransformer(n_neighbors=1, mode="connectivity", p=p, algorithm="kd_tree")
    estimator = make_pipeline(graph, Ridge()).fit(x, [1.0, 2.0, 3.0, 4.0])
    zero = np.zeros((1, 2), np.float32)
    assert graph.transform(zero).toarray().tolist() == [[0, 1, 0, 0]]
    found = outputs(onnxpress.convert(estimator, x), zero)[0]
    np.testing.assert_allclose(found[:, 0], estimator.predict(zero), rtol=1e-6)


def test_a_classifier_as_a_step_is_refused_in_plain_words() -> None:
    estimator = make_pipeline(LinearDiscriminantAnalysis(), Ridge()).fit(X, CLASSES)
    with pytest.raises(UserError, match="a step that predicts labels has no ONNX form but at the"):
        onnxpress.convert(estimator, X)


@pytest.mark.parametrize("loss", ["log_loss", "exponential"])
@pytest.mark.parametrize("init", [None, "zero"])
def test_the_second_class_wins_a_tie_of_gradient_boosting(loss: str, init: Any) -> None:
    """Rows in the middle are there once with each class, so that their leaves are 0."""
    x = np.tile(np.random.default_rng(0).integers(0, 3, (100, 2)), (2, 1)).astype(np.float32)
    target = np.repeat([0, 1], 100)
    for side, first in ((0, 0), (1, 30)):  # the others have one class on each side
        for rows in (slice(first, first + 30), slice(100 + first, 130 + first)):
            x[rows, 0] += 10 * side - 5
            target[rows] = side
    estimator = GradientBoostingClassifier(n_estimators=3, loss=loss, init=init)
    estimator.fit(x, target)
    ties = estimator.decision_function(x) == 0
    assert 0 < ties.sum() < 200
    assert estimator.predict(x)[ties].all()
    model = onnxpress.convert(estimator, x)
    assert outputs(model, x)[0].tolist() == estimator.predict(x).tolist()
    held = x, target
    small = onnxpress.compress(estimator, *held, calibration=held, level="lossless").model
    assert outputs(small, x)[0].tolist() == estimator.predict(x).tolist()


def test_a_network_of_poisson_loss_gives_rates() -> None:
    rates = np.exp(X[:, 0])
    estimator = MLPRegressor(hidden_layer_sizes=5, loss="poisson", tol=1.0, random_state=0).fit(
        X, rates
    )
    found = outputs(onnxpress.convert(estimator, X), X)[0]
    np.testing.assert_allclose(found[:, 0], estimator.predict(X), rtol=1e-5)


POSITIVE = np.abs(X) + np.float32(0.01)


@pytest.mark.parametrize("opset", [11, 22])
@pytest.mark.parametrize("function", list(FUNCTIONS), ids=lambda function: function.__name__)
def test_functions_of_numpy_are_those_of_numpy(function: np.ufunc, opset: int) -> None:
    estimator = make_pipeline(FunctionTransformer(function), Ridge()).fit(POSITIVE, X[:, 0])
    model = onnxpress.convert(estimator, POSITIVE, opset=opset)
    odd = np.concatenate([POSITIVE * 30, np.zeros((1, 4), np.float32)])
    with np.errstate(all="ignore"):  # overflow, and the logarithm of 0
        passed = np.isfinite(function(odd)).all(axis=1)
        expected = estimator[-1].predict(function(odd[passed]))
    found = outputs(model, odd[passed])[0][:, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_functions_of_the_users_own_are_refused() -> None:
    estimator = make_pipeline(FunctionTransformer(np.tan), Ridge()).fit(X, X[:, 0])
    with pytest.raises(
        UserError,
        match=r"func tan of a FunctionTransformer, which is none of numpy\.exp, ",
    ):
        onnxpress.convert(estimator, X)


@pytest.mark.parametrize("target", [CLASSES > 0, CLASSES, np.array(["x", "y", "z"])[CLASSES]])
def test_a_classifier_of_gaussian_processes_is_refused(target: Any) -> None:
    estimator = GaussianProcessClassifier(optimizer=None).fit(X, target)
    with pytest.raises(UserError, match="onnxruntime has no operators that compute"):
        onnxpress.convert(estimator, X)


def test_an_opset_too_old_names_the_oldest_that_will_do() -> None:
    gaps = np.where(X > 1.5, np.nan, X)
    estimator = make_pipeline(KNNImputer(), LogisticRegression()).fit(gaps, CLASSES)
    with pytest.raises(UserError, match="opset 12: it needs opset 18 or newer; choose"):
        onnxpress.convert(estimator, gaps)


@pytest.mark.parametrize("columns", [[0, 2], [1], []])
def test_the_indicator_of_an_imputer_by_neighbours_stays(columns: list[int]) -> None:
    gaps = X.copy()
    gaps[::7, columns] = np.nan
    model = make_pipeline(KNNImputer(add_indicator=True), StandardScaler(), Ridge())
    model.fit(gaps, CLASSES + 10.0 * np.isnan(gaps).sum(axis=1))
    (found,) = outputs(onnxpress.convert(model, gaps, opset=18), gaps)
    np.testing.assert_allclose(found.ravel(), model.predict(gaps), rtol=1e-4)
