"""Models of several kinds with rows of theirs, for the tests of drift."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache
from typing import Literal

import pandas as pd
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from onnxpress import compress
from onnxpress.conversion.converting import to_onnx
from onnxpress.estimators.building import build
from onnxpress.graph.canonical import to_bytes
from onnxpress.tables.column_types import type_columns
from onnxpress.tables.rows import Rows, as_rows, sklearn_input
from onnxpress.tables.schema import Schema
from tests.support.packaged import tables


@dataclass(frozen=True)
class Model:
    """An ONNX model, its training rows, and their schema."""

    onnx: bytes
    rows: Rows
    schema: Schema
    frame: pd.DataFrame
    """The rows as the prepare stage writes them."""


COMPARING = (
    "numbers/HistGradientBoostingClassifier",
    "numbers/scaled RandomForestClassifier",
    "numbers/lossless RandomForestClassifier",
    "numbers/refined RandomForestClassifier",
    "texts/RandomForestClassifier",
    "texts/HistGradientBoostingClassifier",
    "texts/lossless HistGradientBoostingClassifier",
    "texts/lightgbm.LGBMClassifier",
    "numbers/xgboost.XGBClassifier",
    "regression/RandomForestRegressor",
    "regression/refined RandomForestRegressor",
)
"""Models that only compare numbers and look texts up."""
COMPUTING = ("numbers/LogisticRegression", "texts/LogisticRegression", "regression/Ridge")
"""Models that compute with numbers."""


@cache
def model(name: str) -> Model:
    """Fit and convert one of the models above."""
    source, _, kind = name.partition("/")
    how, _, estimator = kind.rpartition(" ")
    frame, _ = tables()[source]
    typed, schema = type_columns(frame, "target", "auto")
    columns = {column.name: typed[column.name].to_numpy() for column in schema.columns}
    rows = as_rows(columns, typed["target"].to_numpy(), schema)
    params = {"n_estimators": 20} if "Forest" in estimator or "." in estimator else {}
    original = build(estimator, params, schema, 0)
    table = sklearn_input(rows.feeds)
    if how == "scaled":
        original = make_pipeline(StandardScaler(), original)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a LogisticRegression that has not converged
        original.fit(table, rows.target)
    level: Literal["lossless", "refined"] | None
    level = "lossless" if how == "lossless" else "refined" if how == "refined" else None
    if level:
        limits = {"score": 1.0, "recall_worst_loss": None}
        found = compress(original, table, rows.target, method="forest", level=level, budgets=limits)
        return Model(found.model.SerializeToString(), rows, schema, typed)
    return Model(to_bytes(to_onnx(original, schema, 12)), rows, schema, typed)
