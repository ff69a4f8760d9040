"""Rehearse before a long fit whether a model of this kind can be expressed in ONNX at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.conversion.converting import NEWEST_OPSET, to_onnx
from onnxpress.errors import UserError
from onnxpress.estimators.fitting import fit
from onnxpress.estimators.predicting import predict_original
from onnxpress.evaluate.relative_differences import TOLERANCE
from onnxpress.evaluate.score_differences import ScoreDifferences, score_differences
from onnxpress.graph.canonical import to_bytes
from onnxpress.runtime.predictions import Predictions
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.tables.rows import Feeds, Rows
from onnxpress.tables.schema import Schema

REHEARSAL_ROWS = 300
LEAST_OF_A_CLASS = 10
REHEARSAL_EFFORT = 10
EFFORTS = ("n_estimators", "max_iter")
"""Parameters that make a fit longer without changing what it converts to."""


Check = Callable[[Predictions], None]
"""Raises UserError if predictions of a clone show that the fit would be in vain."""


def rehearse(estimator: Any, rows: Rows, schema: Schema, check: Check | None = None) -> list[str]:
    """Fit a clone on a few hundred rows, convert it, and compare both; return the fit's warnings.

    1. Each class is among the rows, and iterations are few.
    2. Rows too few for this estimator, perhaps, are a warning: the fit itself will tell.
    3. The newest opset is used, so that another opset does not make the fit stale. An opset too
       old for the estimator is refused when it is converted, and costs no second fit.

    ``check`` is called with what the clone predicts.

    Raises:
        UserError: the clone cannot be converted, or predicts differently as ONNX; or ``check``
            raises it.
    """
    from sklearn.exceptions import ConvergenceWarning

    rehearsed = _quick_clone(estimator)
    few = rows.take(_few_of_each(rows, schema))
    try:
        warned = fit(rehearsed, few, expected=(ConvergenceWarning,))  # it is stopped early
    except UserError as error:
        unknown = "whether it becomes ONNX is known after the fit only"
        return [f"it could not be fitted to {len(few)} rows, so {unknown} ({error})"]
    try:
        found = differences(rehearsed, few.feeds, schema)
    except UserError as error:
        raise UserError(f"`estimator` cannot become ONNX, so it was not fitted: {error}") from error
    if check is not None:
        check(predict_original(rehearsed, few.feeds, schema))
    if found.beyond:
        raise UserError(
            "`estimator` gives different predictions as ONNX, so it was not fitted: "
            f"in a rehearsal on {len(few)} rows {_described(found, schema)}; "
            "choose another estimator or other `params`"
        )
    return warned


def _quick_clone(estimator: Any) -> Any:
    """Clone the estimator, with few trees and iterations."""
    from sklearn.base import clone

    result = clone(estimator)
    efforts = {}
    for key, value in result.get_params().items():
        if key.endswith(EFFORTS) and isinstance(value, int):
            efforts[key] = min(value, REHEARSAL_EFFORT)
    return result.set_params(**efforts)


def differences(estimator: Any, feeds: Feeds, schema: Schema) -> ScoreDifferences:
    """Compare what a fitted estimator predicts with what its ONNX form predicts.

    Raises:
        UserError: it cannot be converted, or onnxruntime cannot run it.
    """
    model = to_bytes(to_onnx(estimator, schema, NEWEST_OPSET))
    try:
        original = predict_original(estimator, feeds, schema)
    except AttributeError as error:  # a part inside lacks what the estimator calls
        name = type(estimator).__name__
        raise UserError(f"{name} cannot predict in scikit-learn either ({error})") from error
    try:
        predicted = predict_onnx(open_session(model), feeds)
    except UserError:
        raise
    except Exception as error:  # onnxruntime's exceptions share no base class of their own
        said = " ".join(str(error).split())[:200]
        raise UserError(f"onnxruntime cannot run what skl2onnx makes of it ({said})") from error
    return score_differences(estimator, feeds, schema, original, predicted)


def _described(found: ScoreDifferences, schema: Schema) -> str:
    """Say what differs, and by how much."""
    what = "predictions" if schema.task == "regression" else "scores"
    labels = f", and {found.labels} labels differ" if found.labels else ""
    return (
        f"{what} differ by up to {found.largest:.2g}, relative where one is above 1, "
        f"not by at most {TOLERANCE:g}{labels}"
    )


def _few_of_each(rows: Rows, schema: Schema) -> NDArray[np.intp]:
    """Choose about ``REHEARSAL_ROWS`` rows, each class among them; (chosen,) positions.

    ``rank`` counts the rows of a class, in the order of the rows. With 2 of each class wanted:

        target  b  a  b  b  a
        codes   1  0  1  1  0
        order   1  4  0  2  3     rows sorted by class
        first   0  2              where each class starts in that order
        rank    0  0  1  2  1     chosen: rows 0, 1, 2 and 4
    """
    if schema.task == "regression":
        return np.arange(min(len(rows), REHEARSAL_ROWS))
    _, codes = np.unique(rows.target, return_inverse=True)
    order = np.argsort(codes, kind="stable")
    first = np.searchsorted(codes[order], np.arange(codes.max() + 1))
    rank = np.empty(len(rows), np.intp)
    rank[order] = np.arange(len(rows)) - first[codes[order]]
    return np.flatnonzero(rank < max(LEAST_OF_A_CLASS, REHEARSAL_ROWS // len(first)))
