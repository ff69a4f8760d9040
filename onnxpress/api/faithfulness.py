"""Whether the ONNX form of an estimator, before any compression, predicts what it predicts."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from onnxpress.errors import UserError
from onnxpress.estimators.predicting import predict_original
from onnxpress.evaluate.predicted_rows import predict_with_all
from onnxpress.evaluate.score_differences import FAR, score_differences
from onnxpress.runtime.predictions import Predictions
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.tables.rows import Feeds, take
from onnxpress.tables.schema import Schema

CHECKED_ROWS = 1000
"""Rows on which the converted model is compared with the original."""

MOST_FAR = 0.01
"""Share of rows that may be far off: nearest neighbours that are equally near may be others."""


def conversion_doubts(
    estimator: Any, plain: bytes, feeds: Feeds, schema: Schema, name: str
) -> list[str]:
    """Return lines if the ONNX form ``plain`` predicts otherwise on some of the first rows.

    ``name`` is that of the estimator's argument.

    Raises:
        UserError: it predicts otherwise on many rows, or cannot be run; or the original refuses the
            rows, such as those with missing values.
    """
    rows = take(feeds, np.arange(min(len(next(iter(feeds.values()))), CHECKED_ROWS)))
    models = {
        name: partial(predict_original, estimator, schema=schema),
        "its ONNX form": partial(predict_onnx, open_session(plain)),
    }
    original, converted = predict_with_all(models, rows, "X")
    found = score_differences(estimator, rows, schema, original, converted)
    count = len(original.values)
    if found.far > MOST_FAR * count:
        what = "predictions" if schema.task == "regression" else "labels or scores"
        raise UserError(
            f"{name}, a {type(estimator).__name__}, has no ONNX form that predicts the same: "
            f"{what} are wrong for {found.far} of {count} rows of X; {_cure(original)}"
        )
    lines = []
    if found.beyond or found.far:
        labels = f", and {found.labels} labels differ" if found.labels else ""
        lines.append(
            f"already as plain ONNX, scores differ by up to {found.largest:.2g} from the "
            f"original's on {count} rows of X{labels}; float32 inputs may explain it (see compare)"
        )
    if found.steps:
        lines.append(
            f"already as plain ONNX, {found.steps} of {count} rows of X get another prediction: "
            "the original's changes abruptly there, as between neighbours that are equally near"
        )
    return lines


def _cure(original: Predictions) -> str:
    """Say what may help: of numbers near 1e9, float32 keeps multiples of 64 alone."""
    cure = "choose another estimator"
    if original.scores is not None:
        return cure
    largest = np.abs(original.values).max(axis=0).astype(np.float32)
    steps, spreads = np.atleast_1d(np.spacing(largest)), np.atleast_1d(np.ptp(original.values, 0))
    merged = np.flatnonzero(steps >= FAR * spreads)
    if not len(merged):
        return cure
    step, spread = steps[merged[0]], spreads[merged[0]]
    return (
        f"they lie within {spread:.2g}, and float32, which ONNX gives, has steps of {step:.2g} "
        "there: fit to differences from a fixed number"
    )
