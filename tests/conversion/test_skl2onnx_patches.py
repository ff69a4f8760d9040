"""Each patch of skl2onnx says what it is for, and a test here fails without it."""

from __future__ import annotations

import ast
import importlib.metadata
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.feature_selection import RFE, SelectKBest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, Normalizer, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils import all_estimators

from onnxpress.conversion.converting import to_onnx
from onnxpress.graph.canonical import to_bytes
from onnxpress.runtime.sessions import open_session
from tests.conftest import ROOT, numeric_schema

PATCHES = sorted((ROOT / "onnxpress/conversion/skl2onnx_patches").glob("[!_]*.py"))
FORM = re.compile(
    r"[^\n]+\.\n\n"
    r"Symptom: (?P<symptom>.+)\n"
    r"Versions: (?P<versions>[^\n]+)\n"
    r"Test: (?P<file>[\w/]+\.py)::(?P<test>\w+)\n"
    r"Delete when: (?P<end>.+)\n",
    re.DOTALL,
)
"""The docstring of a patch; the symptom and the end may take several lines."""

Array = NDArray[Any]
IRIS: tuple[Array, Array] = load_iris(return_X_y=True)


def saying(patch: Path) -> re.Match[str]:
    """The four lines of a patch."""
    docstring = ast.get_docstring(ast.parse(patch.read_text(encoding="utf-8"))) or ""
    found = FORM.fullmatch(f"{docstring}\n")
    assert found is not None, f"{patch.name} lacks the four lines of a patch"
    return found


@pytest.mark.parametrize("patch", PATCHES, ids=lambda path: path.stem)
def test_a_patch_names_its_symptom_versions_test_and_end(patch: Path) -> None:
    said = saying(patch)
    tests = ast.parse((ROOT / said["file"]).read_text(encoding="utf-8")).body
    assert said["test"] in {item.name for item in tests if isinstance(item, ast.FunctionDef)}


@pytest.mark.parametrize("patch", PATCHES, ids=lambda path: path.stem)
def test_a_patch_is_for_the_version_that_is_installed(patch: Path) -> None:
    name, version = saying(patch)["versions"].split()
    assert importlib.metadata.version(name).startswith(f"{version}.")


def predicted(estimator: Any, x: Array, task: str = "classification") -> list[Array]:
    """What the estimator predicts as ONNX: labels and scores, or values."""
    model = to_bytes(to_onnx(estimator, numeric_schema(x.shape[1], task), 15))
    return [np.asarray(one) for one in open_session(model).run(None, {"X": x})]


def rows(x: Array) -> Array:
    return x.astype(np.float32)


def assert_same_probabilities(estimator: Any, x: Array, y: Array) -> None:
    estimator.fit(x, y)
    labels, scores = predicted(estimator, x)
    np.testing.assert_array_equal(labels, estimator.predict(x))
    np.testing.assert_allclose(scores, estimator.predict_proba(x), atol=1e-5)


def test_the_first_column_alone_may_be_chosen() -> None:
    x, y = rows(IRIS[0][:, [2, 0, 1]]), IRIS[1]
    assert_same_probabilities(make_pipeline(SelectKBest(k=1), LogisticRegression()), x, y)


def test_an_elimination_may_be_a_step() -> None:
    x, y = rows(IRIS[0]), IRIS[1]
    line = LogisticRegression(max_iter=500)
    pipeline = make_pipeline(RFE(line, n_features_to_select=2), line)
    assert_same_probabilities(pipeline, x, y)


def test_columns_may_be_put_in_another_order() -> None:
    x, y = rows(IRIS[0]), IRIS[1]
    turned = ColumnTransformer([("all", "passthrough", [2, 0, 3, 1])])
    assert_same_probabilities(make_pipeline(turned, LogisticRegression(max_iter=500)), x, y)


def test_a_gaussian_process_loses_no_digits() -> None:
    x = np.linspace(0, 3, 60, dtype=np.float32)[:, None]
    process = GaussianProcessRegressor(RBF(1.0), alpha=1e-6, optimizer=None)
    process.fit(x, np.sin(x[:, 0]))
    (values,) = predicted(process, x, "regression")
    np.testing.assert_allclose(values[:, 0], process.predict(x), atol=1e-5)


def test_rows_are_divided_by_their_largest_size() -> None:
    x = rows(IRIS[0] - IRIS[0].mean(axis=0))
    x[0] = 0
    pipeline = make_pipeline(Normalizer("max"), LogisticRegression(max_iter=500))
    assert_same_probabilities(pipeline, x, IRIS[1])


def test_a_linear_svc_may_end_a_pipeline() -> None:
    x, y = rows(IRIS[0]), IRIS[1]
    pipeline = make_pipeline(StandardScaler(), LinearSVC()).fit(x, y)
    np.testing.assert_array_equal(predicted(pipeline, x)[0], pipeline.predict(x))


class Mine(LogisticRegression):  # type: ignore[misc] # scikit-learn has no types
    """A class of the user's own."""


def test_a_class_of_ones_own_converts_as_its_base() -> None:
    assert_same_probabilities(Mine(max_iter=500), rows(IRIS[0]), IRIS[1])


def test_bins_may_be_sparse() -> None:
    x = rows(IRIS[0])
    bins = KBinsDiscretizer(4, encode="onehot", quantile_method="averaged_inverted_cdf")
    pipeline = make_pipeline(bins, LinearRegression()).fit(x, IRIS[1])
    (values,) = predicted(pipeline, x, "regression")
    np.testing.assert_allclose(values[:, 0], pipeline.predict(x), atol=1e-4)


CLASSIFIERS = dict(all_estimators("classifier"))
WIDE = [
    "BernoulliNB",
    "CategoricalNB",
    "ComplementNB",
    "DecisionTreeClassifier",
    "GaussianNB",
    "KNeighborsClassifier",
    "LinearSVC",
    "LogisticRegression",
    "MLPClassifier",
    "MultinomialNB",
    "PassiveAggressiveClassifier",
    "Perceptron",
    "RidgeClassifier",
    "SGDClassifier",
    "SVC",
]


@pytest.mark.parametrize("first", [2**24 + 1, 2**31 + 1, 2**53 + 1, -(2**62) - 1])
@pytest.mark.parametrize("name", WIDE)
@pytest.mark.filterwarnings("ignore")  # iterations are few
def test_wide_labels_keep_their_digits(name: str, first: int) -> None:
    random = np.random.default_rng(0)
    x = random.integers(0, 4, size=(60, 3)).astype(np.float32)
    estimator = CLASSIFIERS[name]().fit(x, np.digitize(x[:, 0], [1, 3]) + first)
    session = open_session(to_bytes(to_onnx(estimator, numeric_schema(3), 12)))
    expected = [int(label) for label in estimator.predict(x)]
    assert session.run(["label"], {"X": x})[0].tolist() == expected
