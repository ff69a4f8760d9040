"""train.estimator names a class of LightGBM: what it is fitted to, and what is refused before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from onnxpress.conversion.rehearsed_fit import fit_rehearsed
from onnxpress.errors import UserError
from onnxpress.estimators import stored
from onnxpress.estimators.building import ColumnSteps, build
from onnxpress.estimators.fitting import unfitted
from onnxpress.tables.rows import Rows
from onnxpress.tables.schema import Column, Schema
from tests.boosters.compared import feeds_of, schema_of

NAME = "lightgbm.LGBMClassifier"


def table() -> tuple[pd.DataFrame, Schema, Rows]:
    """Numbers with gaps, categories with gaps, and two classes that both tell."""
    random = np.random.default_rng(0)
    rows = 400
    frame = pd.DataFrame(
        {
            "a b": random.normal(size=rows).astype(np.float32),
            "k": pd.Series(random.choice(["x", "y", "z", ""], rows), dtype=object),
            "n": random.normal(size=rows).astype(np.float32),
        }
    )
    frame.loc[random.random(rows) < 0.2, "n"] = np.nan
    target = np.where((frame["a b"] > 0) ^ (frame["k"] == "x"), "yes", "no")
    schema = schema_of(frame, "classification")
    return frame, schema, Rows(feeds_of(frame, schema), target)


def fitted(**parameters: Any) -> Any:
    _, schema, rows = table()
    estimator = build(NAME, {"n_estimators": 12, "min_data_per_group": 5, **parameters}, schema, 3)
    fit_rehearsed(estimator, rows, rows, schema)
    return estimator


def test_missing_numbers_and_categories_go_to_the_library_as_they_are() -> None:
    frame, _, rows = table()
    estimator = fitted()
    features = estimator.read().features
    assert [feature.categories for feature in features] == [None, ("x", "y", "z"), None]
    assert np.mean(estimator.predict(frame) == rows.target) > 0.95
    assert estimator.columns == ("a b", "k", "n")


def test_the_same_rows_and_seed_give_the_same_bytes() -> None:
    assert fitted(subsample=0.5, subsample_freq=1).model == (
        fitted(subsample=0.5, subsample_freq=1).model
    )


def test_a_stored_one_predicts_the_same_and_can_be_fitted_again() -> None:
    frame, _, rows = table()
    estimator = fitted()
    data = stored.dump(estimator)
    again = stored.loads(data)
    assert stored.dump(again) == data
    assert np.array_equal(again.predict_proba(frame), estimator.predict_proba(frame))
    refitted = unfitted(again).fit(frame, rows.target)
    assert refitted.model == estimator.model


@pytest.mark.parametrize(
    ("parameters", "line"),
    [
        ({"n_estimatorz": 3}, "did you mean 'n_estimators'"),
        ({"forcedsplits_filename": "a.json"}, "arguments that name files are not taken"),
        ({"objective": "cross_entropy"}, "gives no probability for each of 2 classes"),
    ],
)
def test_what_cannot_come_right_is_refused_before_the_fit(
    parameters: dict[str, Any], line: str
) -> None:
    with pytest.raises(UserError, match=line):
        fitted(**parameters)


def test_a_regressor_is_no_classifier() -> None:
    _, schema, _ = table()
    with pytest.raises(UserError, match="should be a classifier for this target"):
        build("lightgbm.LGBMRegressor", {}, schema, 0)


def test_scaled_numbers_come_with_categories_as_columns() -> None:
    frame, schema, rows = table()
    estimator = build(NAME, {"n_estimators": 5}, schema, 0, ColumnSteps(scale=True))
    fit_rehearsed(estimator, rows, rows, schema)
    booster = estimator.steps[-1][1]
    assert booster.columns == tuple("012345")
    assert all(feature.categories is None for feature in booster.read().features)
    assert np.mean(estimator.predict(frame) == rows.target) > 0.8


def test_words_come_beside_the_numbers() -> None:
    random = np.random.default_rng(0)
    texts = pd.Series(random.choice(["red fish", "blue fish", "red bird"], 300), dtype=object)
    frame = pd.DataFrame({"t": texts, "n": random.normal(size=300).astype(np.float32)})
    columns = (Column("t", "text", missing=False), Column("n", "number", missing=False))
    schema = Schema("classification", "y", columns)
    target = frame["t"].str.contains("bird").to_numpy().astype(np.int64)
    rows = Rows(feeds_of(frame, schema), target)
    estimator = build(NAME, {"n_estimators": 5}, schema, 0)
    fit_rehearsed(estimator, rows, rows, schema)
    assert np.array_equal(estimator.predict(frame), target)
