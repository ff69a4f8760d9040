"""A fit that does not begin before a short rehearsal has shown that the estimator converts."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from onnxpress.conversion.rehearsal import Check, rehearse
from onnxpress.estimators.fitting import fit
from onnxpress.evaluate.baseline import baseline_warning
from onnxpress.tables.rows import Rows
from onnxpress.tables.schema import Schema


@dataclass(frozen=True)
class Fit:
    """How a fit went."""

    seconds: float
    """Without the rehearsal."""
    lines: tuple[str, ...]
    """Warnings to show, in order."""


def fit_rehearsed(
    estimator: Any, rows: Rows, calibration: Rows, schema: Schema, check: Check | None = None
) -> Fit:
    """Rehearse, then fit the estimator in place.

    A line warns if a constant predicts the calibration rows (or the training rows, if there are no
    others) better than the fitted estimator. ``check`` is called with what the clone of the
    rehearsal predicts.

    Raises:
        UserError: the estimator cannot become ONNX, cannot be fitted, or gives labels alone; or
            ``check`` raises it.
    """
    rehearsed = rehearse(estimator, rows, schema, check)
    start = time.perf_counter()
    warned = fit(estimator, rows)
    seconds = time.perf_counter() - start
    kept, name = (calibration, "calibration") if len(calibration) else (rows, "training")
    worse = baseline_warning(estimator, kept, schema, name)
    lines = [] if worse is None else [worse]
    lines += [f"scikit-learn warns: {line}" for line in warned]
    for line in sorted(set(rehearsed) - set(warned)):
        lines.append(f"scikit-learn warns of a short rehearsal on a few rows: {line}")
    return Fit(seconds, tuple(lines))
