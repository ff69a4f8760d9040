"""A warning of a model that a constant beats, as a wrong export or a wrong target makes it."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.errors import UserError
from onnxpress.estimators.booster_estimator import is_ranker
from onnxpress.estimators.predicting import predict_original
from onnxpress.limits import NDCG
from onnxpress.runtime.predictions import Predictions
from onnxpress.scores.score import Score, default_score
from onnxpress.tables.mapped import row_by_row, spans
from onnxpress.tables.rows import Rows
from onnxpress.tables.schema import Schema


def worse_than_constant(
    schema: Schema, target: NDArray[Any], values: NDArray[Any], rows: str
) -> str | None:
    """Return a warning if ``values`` score below the best constant, both (rows,); else None.

    The constant is the mean of the target, or its most frequent class. ``rows`` names the rows.
    """
    found = default_score(schema.task, target, values)
    if schema.task == "regression":
        name, constant, always = "R2", 0.0, "the mean of the target"
    else:
        name = "accuracy"
        counts = Counter[Any]()
        for span in spans(len(target)):
            classes, rows_of = np.unique(target[span], return_counts=True)
            counts.update(dict(zip(classes.tolist(), rows_of.tolist(), strict=True)))
        most = min(counts, key=lambda label: (-counts[label], label))
        constant, always = counts[most] / len(target), repr(most)
    if not found < constant:
        return None
    return (
        f"warning: the original is worse than a constant on the {len(target)} {rows} rows: "
        f"{name} {found:.4f}, against {constant:.4f} for {always} every time; "
        "check that it was fitted on these columns and this target"
    )


def worse_by_score(
    score: Score, target: NDArray[Any], predictions: Predictions, rows: str
) -> str | None:
    """Return a warning if ``predictions`` have a lower score than a constant; else None.

    ``target`` is (rows,). The constant is the mean of the target, or of classes their shares, and
    the most frequent as label. ``rows`` names the rows.
    """
    found, constant = score(target, predictions), score(target, _constant(score, target))
    if not found < constant:
        return None
    return (
        f"warning: the original is worse than a constant on the {len(target)} {rows} rows: "
        f"{score.name} {found:.4f}, against {constant:.4f} for the same prediction every time; "
        "check that it was fitted on these columns and this target"
    )


def _constant(score: Score, target: NDArray[Any]) -> Predictions:
    """Return the best constant for every row of ``target`` (rows,)."""
    rows = len(target)
    if score.task == "regression":
        return Predictions(np.broadcast_to(np.mean(target, axis=0), np.shape(target)), None)
    rows_of = (
        np.count_nonzero(row_by_row(partial(np.equal, label), target)) for label in score.classes
    )
    shares = np.array([*rows_of]) / rows
    label = np.array(score.classes)[shares.argmax()]
    return Predictions(np.broadcast_to(label, rows), np.broadcast_to(shares, (rows, len(shares))))


def ranks_groups(rows: Rows, values: NDArray[Any]) -> bool:
    """Whether numbers (rows,) rank the rows of their groups better than a constant does.

    What ranks has no unit, so that its R2 says nothing.
    """
    if rows.groups is None or values.ndim > 1 or rows.target.dtype.kind != "f":
        return False
    score, predictions = Score(NDCG, "regression", groups=rows.groups), Predictions(values, None)
    return score(rows.target, predictions) > score(rows.target, _constant(score, rows.target))


def baseline_warning(model: Any, rows: Rows, schema: Schema, name: str) -> str | None:
    """Return a warning if a scikit-learn model predicts ``rows`` worse than a constant; else None.

    ``name`` names the rows. There is no warning without rows, nor of a model that refuses them.

    Raises:
        UserError: the model predicts no scores, or more than one value per row.
    """
    if not len(rows):
        return None
    try:
        values = predict_original(model, rows.feeds, schema).values
    except UserError:
        raise
    except Exception:  # it refuses these rows, which is said where it is converted
        return None
    if rows.groups is not None and is_ranker(model):
        score = Score(NDCG, "regression", groups=rows.groups)
        return worse_by_score(score, rows.target, Predictions(values, None), name)
    return worse_than_constant(schema, rows.target, values, name)
