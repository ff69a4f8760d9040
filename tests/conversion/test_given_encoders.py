"""Fitted encoders and imputers give the same as ONNX, of blanks, rare and unseen values too.

Expected values are scikit-learn's own, of a DataFrame as the owner has it: with NaN, None or ""
where a value is missing.
"""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder

from onnxpress.conversion.converting import to_onnx, transformer_to_onnx
from onnxpress.estimators.predicting import predict_original
from onnxpress.graph.canonical import to_bytes
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.tables.rows import Feeds
from onnxpress.tables.schema import Column, Schema

OPSETS = (11, 12, 13, 18, 22)
ROWS = 240
MISSING = {"NaN": np.nan, "None": None, "empty": ""}
ONE_HOT: dict[str, dict[str, Any]] = {
    "default": {},
    "ignore": {"handle_unknown": "ignore"},
    "rare": {"min_frequency": 20, "handle_unknown": "infrequent_if_exist"},
    "rare, ignore": {"min_frequency": 20, "handle_unknown": "ignore"},
    "rare, strict": {"min_frequency": 0.1},
    "few": {"max_categories": 3, "handle_unknown": "infrequent_if_exist"},
    "warn": {"max_categories": 3, "handle_unknown": "warn"},
    "drop": {"drop": "first"},
    "drop, ignore": {"drop": "first", "handle_unknown": "ignore"},
    "drop binary": {"drop": "if_binary", "handle_unknown": "ignore"},
    "drop, rare": {"drop": "first", "min_frequency": 20, "handle_unknown": "infrequent_if_exist"},
    "dense, whole": {"sparse_output": False, "dtype": np.int32, "handle_unknown": "ignore"},
}
UNKNOWN = {"handle_unknown": "use_encoded_value"}
ORDINAL: dict[str, dict[str, Any]] = {
    "default": {},
    "missing": {
        "encoded_missing_value": -2,
        "handle_unknown": "use_encoded_value",
        "unknown_value": -1,
    },
    "unknown": {**UNKNOWN, "unknown_value": -1},
    "unknown NaN": {**UNKNOWN, "unknown_value": np.nan},
    "rare": {**UNKNOWN, "unknown_value": 99, "min_frequency": 20},
    "few": {**UNKNOWN, "unknown_value": 99, "max_categories": 3, "encoded_missing_value": -2},
    "rare, strict": {"min_frequency": 20},
}


def frame(missing: Any, *, unseen: bool = False) -> pd.DataFrame:
    """Cities, some rare and some ``missing``, plans of two kinds, sizes, weights and flags."""
    rng = np.random.default_rng(0)
    cities = rng.choice(
        ["x", "y", "z", "r1", "r2", "Zürich"], ROWS, p=[0.4, 0.3, 0.2, 0.03, 0.03, 0.04]
    ).astype(object)
    cities[rng.random(ROWS) < 0.2] = missing
    table = {
        "city": cities,
        "plan": rng.choice(["s", "m"], ROWS).astype(object),
        "size": rng.choice([1, 2, 30], ROWS, p=[0.6, 0.35, 0.05]),
        "weight": rng.choice([0.1, 2.5, 3.75, np.nan], ROWS),
        "flag": rng.random(ROWS) < 0.3,
    }
    if unseen:
        table["city"][:5], table["plan"][3:8] = "nowhere", "q"
        table["size"][6:11], table["weight"][9:14] = 7, 8.5
    return pd.DataFrame(
        {name: pd.Series(values, dtype=values.dtype) for name, values in table.items()}
    )


COLUMNS = tuple(
    Column(name, kind, missing=True)  # type: ignore[arg-type]
    for name, kind in {
        "city": "category",
        "plan": "category",
        "size": "number",
        "weight": "number",
        "flag": "number",
    }.items()
)
SCHEMA = Schema("regression", "y", COLUMNS, 1.0)


def feeds_of(rows: pd.DataFrame) -> Feeds:
    """The rows as ONNX takes them."""
    feeds: Feeds = {}
    for column in COLUMNS:
        values = rows[column.name]
        if column.kind == "number":
            feeds[column.name] = values.to_numpy(np.float32).reshape(-1, 1)
        else:
            feeds[column.name] = values.fillna("").to_numpy(object).reshape(-1, 1)
    return feeds


def dense(values: Any) -> NDArray[np.float64]:
    return np.asarray(values.toarray() if hasattr(values, "toarray") else values, np.float64)


def transformed(pipeline: Pipeline, rows: pd.DataFrame, opset: int) -> NDArray[np.float64]:
    """What the ONNX form of the pipeline's first steps makes of the rows."""
    model = transformer_to_onnx(Pipeline(pipeline.steps[:-1]), pipeline, SCHEMA, opset)
    made = open_session(to_bytes(model)).run(None, feeds_of(rows))
    return np.hstack([np.asarray(part, np.float64) for part in made])


def with_predictor(first: Any, missing: Any) -> Pipeline:
    target = np.random.default_rng(1).normal(size=ROWS)
    clean = make_pipeline(first, SimpleImputer(), LinearRegression())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        clean.fit(frame(missing), target)
    return Pipeline([clean.steps[0], clean.steps[-1]])


def assert_same_transform(first: Any, missing: Any, opset: int) -> None:
    pipeline = with_predictor(first, missing)
    for rows in (frame(missing), frame(missing, unseen=True)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                expected = dense(pipeline.steps[0][1].transform(rows))
            except ValueError:  # scikit-learn refuses a category that it has not seen
                with pytest.raises(Exception, match="(?i)out of|unknown category|out-of-bounds"):
                    transformed(pipeline, rows, opset)
                continue
        np.testing.assert_allclose(transformed(pipeline, rows, opset), expected, rtol=1e-6)


@pytest.mark.parametrize("missing", MISSING)
@pytest.mark.parametrize("options", ONE_HOT)
def test_a_one_hot_encoder_gives_scikit_learns_columns(options: str, missing: str) -> None:
    encoder = OneHotEncoder(**ONE_HOT[options])
    for opset in OPSETS:
        assert_same_transform(
            ColumnTransformer([("c", encoder, [c.name for c in COLUMNS])]), MISSING[missing], opset
        )


@pytest.mark.parametrize("missing", MISSING)
@pytest.mark.parametrize("options", ORDINAL)
def test_an_ordinal_encoder_gives_scikit_learns_numbers(options: str, missing: str) -> None:
    encoder = OrdinalEncoder(**ORDINAL[options])
    for opset in OPSETS:
        assert_same_transform(
            ColumnTransformer([("c", encoder, [c.name for c in COLUMNS])]), MISSING[missing], opset
        )


@pytest.mark.parametrize("missing", MISSING)
def test_a_target_encoder_gives_scikit_learns_means(missing: str) -> None:
    columns = ["plan", "city", "size", "flag"]
    for opset in OPSETS:
        first = ColumnTransformer(
            [("t", TargetEncoder(random_state=0), columns), ("n", "passthrough", ["size"])]
        )
        assert_same_transform(first, MISSING[missing], opset)


IMPUTERS: dict[str, dict[str, Any]] = {
    "constant": {"strategy": "constant", "fill_value": "none"},
    "most frequent": {"strategy": "most_frequent"},
    "indicator": {"strategy": "most_frequent", "add_indicator": True},
}


PAIRS = [
    pair for pair in itertools.product(MISSING, MISSING) if pair[0] != "NaN" or pair[1] == "NaN"
]  # others do not fit


@pytest.mark.parametrize(("given", "marked"), PAIRS)
@pytest.mark.parametrize("options", IMPUTERS)
def test_an_imputer_of_texts_fills_what_its_owner_calls_missing(
    options: str, given: str, marked: str
) -> None:
    """All pairs of what the rows hold and what counts as missing; an encoder lists what is left."""
    imputer = SimpleImputer(missing_values=MISSING[marked], **IMPUTERS[options])
    first = ColumnTransformer(
        [("c", make_pipeline(imputer, OneHotEncoder(handle_unknown="ignore")), ["city", "plan"])]
    )
    for opset in (11, 13, 22):
        assert_same_transform(first, MISSING[given], opset)


@pytest.mark.parametrize("missing", MISSING)
def test_what_is_missing_in_a_column_is_what_its_imputer_has_seen_in_another(missing: str) -> None:
    """Plans are missing in later rows: blank, None or NaN, as cities were in the fit."""
    blank = MISSING[missing]
    part = make_pipeline(
        SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
    )
    model = make_pipeline(ColumnTransformer([("c", part, ["city", "plan"])]), LinearRegression())
    model.fit(frame(blank), np.random.default_rng(1).normal(size=ROWS))
    rows = frame(blank).assign(plan=pd.Series([blank] * ROWS, dtype=object))
    expected = model.predict(rows)
    for answer in (
        predict_original(model, feeds_of(rows), SCHEMA),
        predict_onnx(open_session(to_bytes(to_onnx(model, SCHEMA, 12))), feeds_of(rows)),
    ):
        np.testing.assert_allclose(answer.values, expected, atol=1e-6)
