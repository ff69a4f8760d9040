"""A short rehearsal before the long fit: whether a model of this kind can be expressed in ONNX at all."""

from __future__ import annotations

from typing import Any

import numpy as np

from stages.common.errors import UserError
from stages.common.models import fit
from stages.common.table import Rows, Schema
from stages.convert.conversion import NEWEST_OPSET, to_onnx

REHEARSAL_ROWS = 300
REHEARSAL_EFFORT = 10
EFFORTS = ("n_estimators", "max_iter")
"""Parameters that make a fit longer without changing what it converts to."""


def rehearse(estimator: Any, rows: Rows, schema: Schema) -> list[str]:
    """Fit a clone on a few hundred rows of every class and convert it; returns what scikit-learn warned about.

    The newest opset is used, so that a change of ``convert.target_opset`` does not make the fit stale; an opset too
    old for the estimator is the convert stage's to report, and costs no second fit.

    Raises:
        UserError: the clone cannot be converted.
    """
    from sklearn.base import clone
    from sklearn.exceptions import ConvergenceWarning

    rehearsed = clone(estimator)
    efforts = {key: value for key, value in rehearsed.get_params().items() if key.endswith(EFFORTS) and isinstance(value, int)}
    rehearsed.set_params(**{key: min(value, REHEARSAL_EFFORT) for key, value in efforts.items()})
    try:
        warned = fit(rehearsed, rows.take(_few_of_each(rows, schema)), expected=(ConvergenceWarning,))  # it is stopped early
    except UserError:
        return []  # too few rows for this estimator: the real fit tells whether it works
    try:
        to_onnx(rehearsed, schema, NEWEST_OPSET)
    except UserError as error:
        raise UserError(f"params.yaml: train.estimator cannot become ONNX, so it was not fitted: {error}") from error
    return warned


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
