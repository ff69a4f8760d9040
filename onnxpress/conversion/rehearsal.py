"""A short rehearsal before the long fit: whether a model of this kind can be expressed in ONNX at all."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxpress.conversion.converting import NEWEST_OPSET, to_onnx
from onnxpress.errors import UserError
from onnxpress.estimators.fitting import fit
from onnxpress.estimators.predicting import predict_original
from onnxpress.evaluate.relative_differences import TOLERANCE
from onnxpress.evaluate.score_differences import ScoreDifferences, score_differences
from onnxpress.graph.canonical import to_bytes
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.tables.rows import Feeds, Rows
from onnxpress.tables.schema import Schema

REHEARSAL_ROWS = 300
REHEARSAL_EFFORT = 10
EFFORTS = ("n_estimators", "max_iter")
"""Parameters that make a fit longer without changing what it converts to."""


def rehearse(estimator: Any, rows: Rows, schema: Schema) -> list[str]:
    """Fit a clone on a few hundred rows of every class, convert it, and ask both; returns what scikit-learn warned about.

    The newest opset is used, so that a change of ``convert.target_opset`` does not make the fit stale; an opset too
    old for the estimator is the convert stage's to report, and costs no second fit.

    Raises:
        UserError: the clone cannot be converted, or answers otherwise as ONNX.
    """
    from sklearn.base import clone
    from sklearn.exceptions import ConvergenceWarning

    rehearsed = clone(estimator)
    efforts = {
        key: value
        for key, value in rehearsed.get_params().items()
        if key.endswith(EFFORTS) and isinstance(value, int)
    }
    rehearsed.set_params(**{key: min(value, REHEARSAL_EFFORT) for key, value in efforts.items()})
    few = rows.take(_few_of_each(rows, schema))
    try:
        warned = fit(rehearsed, few, expected=(ConvergenceWarning,))  # it is stopped early
    except (
        UserError
    ) as error:  # too few rows for this estimator, perhaps: the real fit tells whether it works
        return [
            f"it could not be fitted to {len(few)} rows, so whether it becomes ONNX is known after the fit only ({error})"
        ]
    try:
        found = differences(rehearsed, few.feeds, schema)
    except UserError as error:
        raise UserError(f"`estimator` cannot become ONNX, so it was not fitted: {error}") from error
    if found.beyond:
        raise UserError(
            f"`estimator` gives different predictions as ONNX, so it was not fitted: in a rehearsal "
            f"on {len(few)} rows {_described(found, schema)}; "
            "choose another estimator or other `params`"
        )
    return warned


def differences(estimator: Any, feeds: Feeds, schema: Schema) -> ScoreDifferences:
    """What the ONNX form of a fitted estimator answers differently.

    Raises:
        UserError: it cannot be converted, or onnxruntime cannot run it.
    """
    model = to_bytes(to_onnx(estimator, schema, NEWEST_OPSET))
    try:
        original = predict_original(estimator, feeds, schema)
    except AttributeError as error:  # it asks what is inside for what that does not have
        raise UserError(
            f"{type(estimator).__name__} cannot predict in scikit-learn either ({error})"
        ) from error
    try:
        answer = predict_onnx(open_session(model), feeds)
    except UserError:
        raise
    except Exception as error:  # onnxruntime's exceptions share no base class of their own
        raise UserError(
            f"onnxruntime cannot run what skl2onnx makes of it ({' '.join(str(error).split())[:200]})"
        ) from error
    return score_differences(estimator, feeds, schema, original, answer)


def _described(found: ScoreDifferences, schema: Schema) -> str:
    """What differs, and by how much."""
    what = "predictions" if schema.task == "regression" else "scores"
    labels = f", and {found.labels} labels differ" if found.labels else ""
    return f"{what} differ by up to {found.largest:.2g}, relative where one is above 1, not by at most {TOLERANCE:g}{labels}"


def _few_of_each(rows: Rows, schema: Schema) -> np.ndarray[Any, np.dtype[np.intp]]:
    """Indices of about ``REHEARSAL_ROWS`` rows, each class among them."""
    if schema.task == "regression":
        return np.arange(min(len(rows), REHEARSAL_ROWS))
    _, codes = np.unique(rows.target, return_inverse=True)
    order = np.argsort(codes, kind="stable")
    first = np.searchsorted(codes[order], np.arange(codes.max() + 1))
    rank = np.empty(len(rows), np.intp)
    rank[order] = np.arange(len(rows)) - first[codes[order]]
    return np.flatnonzero(rank < max(10, REHEARSAL_ROWS // len(first)))
