"""A conversion that predicts something else is refused or said; usual pipelines convert."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures, StandardScaler
from sklearn.svm import SVR
from sklearn.tree import DecisionTreeClassifier

import onnxpress
from onnxpress.api import compression, conversion

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(200, 3)).astype(np.float32)
CLASSES = (X[:, 0] > X[:, 1]).astype(int)
WRONG: dict[str, tuple[Any, Any, NDArray[Any]]] = {
    "another label": (
        DecisionTreeClassifier(random_state=0),
        DecisionTreeClassifier(random_state=0),
        CLASSES,
    ),
    "tiny predictions": (
        LinearRegression(),
        RandomForestRegressor(5, random_state=0),
        X[:, 0] * 1e-30,
    ),
}
"""An estimator, another in whose ONNX form it ends up, and the target."""


@pytest.mark.parametrize("function", ["convert", "compress"])
@pytest.mark.parametrize("case", WRONG)
def test_a_conversion_that_predicts_something_else_is_refused(
    case: str, function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, wrong, target = WRONG[case]
    right.fit(X, target)
    bytes_of = conversion.converted
    made = bytes_of(
        wrong.fit(X, target[::-1]),
        onnxpress.api.table_arguments.features(X).schema(
            "classification" if target is CLASSES else "regression"
        ),
        12,
    )
    for module in (conversion, compression):
        monkeypatch.setattr(module, "converted", lambda *_: made)
    arguments = (right, X) if function == "convert" else (right, X, target)
    with pytest.raises(onnxpress.UserError, match="predicts the same: .* of 200"):
        getattr(onnxpress, function)(*arguments)


def test_targets_that_float32_does_not_tell_apart_are_refused() -> None:
    wide = X.astype(float)
    target = 1.7e9 + wide[:, 0]  # seconds since 1970
    with pytest.raises(onnxpress.UserError, match=r"float32.* has steps of 1.3e\+02 there"):
        onnxpress.convert(LinearRegression().fit(wide, target), wide)


def test_one_number_and_rounding_is_a_constant() -> None:
    """A forest of single leaves averages 0.1 with a rounding error."""
    forest = RandomForestRegressor(10, min_samples_leaf=150, random_state=0)
    forest.fit(X, np.full(200, 0.1) + 1e-13 * X[:, 0])
    assert onnxpress.convert(forest, X).graph.output[0].name == "prediction"


def test_neighbours_that_are_equally_near_are_a_warning() -> None:
    codes = RANDOM.integers(0, 2, size=(200, 3)).astype(np.float32)
    neighbours = KNeighborsClassifier().fit(codes, CLASSES)
    with pytest.warns(UserWarning, match="of 200 rows .* equally near"):
        model = onnxpress.convert(neighbours, codes)
    found = onnxpress.compare(neighbours, model, codes, probe_rows=0)
    assert found.given.largest_difference > 0.1
    lines = onnxpress.compress(neighbours, codes, CLASSES, method="none").warnings
    assert any("equally near" in line for line in lines)


def test_a_conversion_that_predicts_the_same_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        onnxpress.convert(LogisticRegression().fit(X, CLASSES), X)


def frame() -> pd.DataFrame:
    random = np.random.default_rng(0)
    colour = random.choice(["red", "green", "초록"], 200)
    size = np.where(random.random(200) < 0.2, np.nan, X[:, 0])
    return pd.DataFrame({"colour": colour, "kind": colour[::-1], "size": size, "x": X[:, 1]})


PRODUCTS = PolynomialFeatures(2, include_bias=False)


def one_hot() -> OneHotEncoder:
    return OneHotEncoder(handle_unknown="ignore")


PIPELINES: dict[str, Callable[[], tuple[Any, Any]]] = {
    "a choice behind an indicator of gaps": lambda: (
        make_pipeline(SimpleImputer(add_indicator=True), VarianceThreshold(), LogisticRegression()),
        frame()[["size", "x"]],
    ),
    "a choice behind one-hot columns": lambda: (
        make_pipeline(one_hot(), SelectKBest(k=2), LogisticRegression()),
        frame()[["colour", "kind"]],
    ),
    "a choice behind products": lambda: (
        make_pipeline(
            PolynomialFeatures(2, include_bias=False), SelectKBest(k=4), LogisticRegression()
        ),
        X,
    ),
    "a choice behind a union": lambda: (
        make_pipeline(
            make_union("passthrough", StandardScaler(), PRODUCTS),
            SelectKBest(k=4),
            LogisticRegression(),
        ),
        X,
    ),
    "neighbours behind one-hot columns, which are sparse": lambda: (
        make_pipeline(
            make_column_transformer(
                (one_hot(), ["colour"]), ("passthrough", ["x"]), sparse_threshold=1.0
            ),
            KNeighborsClassifier(),
        ),
        frame()[["colour", "x"]],
    ),
}


@pytest.mark.parametrize("name", PIPELINES)
def test_a_usual_pipeline_converts(name: str) -> None:
    pipeline, table = PIPELINES[name]()
    pipeline.fit(table, CLASSES)
    found = onnxpress.compare(pipeline, onnxpress.convert(pipeline, table), table, probe_rows=300)
    assert found.agreement == 1
    assert found.given.largest_difference < 1e-5


def test_a_machine_without_support_vectors_is_refused_in_a_line() -> None:
    machine = SVR().fit(X, X[:, 0] * 1e-3)
    assert not len(machine.support_)
    with pytest.raises(onnxpress.UserError, match="no support vectors .* a smaller epsilon"):
        onnxpress.convert(machine, X)


def test_a_model_that_refuses_unknown_numbers_is_compared_on_known_ones() -> None:
    """Rows are made at splits of other columns; half a category is none that the encoder takes."""
    draw = np.random.default_rng(0)
    x = np.c_[draw.integers(0, 3, 200), draw.normal(size=(200, 2))].astype(np.float32)
    encoder = make_column_transformer((OneHotEncoder(), [0]), remainder="passthrough")
    model = make_pipeline(encoder, DecisionTreeClassifier(random_state=0))
    model.fit(x, (x[:, 0] == 1) ^ (x[:, 1] > 0))
    found = onnxpress.compare(model, onnxpress.convert(model, x), x)
    assert "same prediction on 2000 of 2000 probe rows" in str(found)
