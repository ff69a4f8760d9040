"""Whether an estimator predicts the same from rows as they came and as ONNX takes them."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxpress.api.table_arguments import Features
from onnxpress.estimators.predicting import predict_original
from onnxpress.evaluate.agreement import share_within
from onnxpress.tables.rows import take
from onnxpress.tables.schema import Schema

MOST_ROWS = 1000
"""The first rows of ``X``, which are compared."""

TOLERANCE = 1e-3
"""Predictions of regressors are alike within so many of their standard deviations."""


def rounding_doubts(estimator: Any, table: Features, schema: Schema, name: str) -> list[str]:
    """Return a line if float32, which ONNX takes, changes what the estimator predicts.

    Everything in this library rounds ``X`` to float32 before any model sees it. A column of times
    in seconds since 1970 keeps steps of 128: a model that is fitted on finer ones predicts
    something else, in scikit-learn as in ONNX, and the two agree. ``name`` is that of the model.
    """
    if not table.exact:
        return []
    places = np.arange(min(len(table), MOST_ROWS))
    try:
        exact = predict_original(estimator, take(table.exact_feeds(), places), schema)
        rounded = predict_original(estimator, take(table.feeds(), places), schema)
    except Exception:  # a refusal, which is for the caller to report
        return []
    if schema.task == "regression":
        limit = TOLERANCE * np.std(exact.values, axis=0)
        same = share_within(exact, rounded, limit)
    else:
        same = float(np.mean(exact.values == rounded.values))
    changed = round((1 - same) * len(places))
    if not changed:
        return []
    line = (
        f"{name} predicts {changed} of {len(places)} rows of X differently once X is rounded to "
        "float32, as ONNX takes it; fit it on smaller numbers, such as differences from a fixed one"
    )
    return [line]
