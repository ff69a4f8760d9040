"""A fit that does not begin before a short rehearsal has shown that the estimator converts."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from onnxpress.conversion.rehearsal import rehearse
from onnxpress.errors import UserError
from onnxpress.estimators.fitting import fit
from onnxpress.estimators.predicting import predict_original
from onnxpress.evaluate.scores import worse_than_constant
from onnxpress.tables.rows import Rows
from onnxpress.tables.schema import Schema


@dataclass(frozen=True)
class Fit:
    """How a fit went."""

    seconds: float
    """Without the rehearsal."""
    lines: tuple[str, ...]
    """Warnings to show, in order."""


def fit_rehearsed(estimator: Any, rows: Rows, calibration: Rows, schema: Schema) -> Fit:
    """Rehearse, then fit the estimator in place.

    A line warns if a constant predicts the calibration rows (or the training rows, if there are no
    others) better than the fitted estimator.

    Raises:
        UserError: the estimator cannot become ONNX, cannot be fitted, or gives labels alone.
    """
    rehearsed = rehearse(estimator, rows, schema)
    start = time.perf_counter()
    warned = fit(estimator, rows)
    seconds = time.perf_counter() - start
    kept, name = (calibration, "calibration") if len(calibration) else (rows, "training")
    only_rehearsed = sorted(set(rehearsed) - set(warned))
    lines = [
        *_worse_lines(estimator, kept, schema, name),
        *(f"scikit-learn warns: {line}" for line in warned),
        *(
            f"scikit-learn warns of a short rehearsal on a few rows: {line}"
            for line in only_rehearsed
        ),
    ]
    return Fit(seconds, tuple(lines))


def _worse_lines(estimator: Any, rows: Rows, schema: Schema, name: str) -> list[str]:
    """A line if a constant predicts the ``rows`` better; ``name`` is what the line calls them."""
    try:
        values = predict_original(estimator, rows.feeds, schema).values
    except UserError:
        raise
    except Exception:  # it refuses these rows; later stages say so
        return []
    line = worse_than_constant(schema, rows.target, values, name)
    return [] if line is None else [line]
