"""What a scikit-learn estimator predicts, in the same form as an ONNX model's predictions."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.errors import UserError
from onnxpress.estimators.layout import original_input
from onnxpress.runtime.predictions import Predictions, as_column, as_labels, as_numbers
from onnxpress.tables.rows import Feeds
from onnxpress.tables.schema import Schema


def predict_original(estimator: Any, feeds: Feeds, schema: Schema) -> Predictions:
    """Predict with a scikit-learn estimator, given the inputs of its ONNX form.

    Raises:
        UserError: it gives labels and no scores, or more or fewer values per row than targets.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Found unknown categories", category=UserWarning)
        return predict_rows(estimator, original_input(estimator, feeds, schema), schema)


def predict_rows(estimator: Any, rows: Any, schema: Schema) -> Predictions:
    """Predict with a scikit-learn estimator, given rows in the form that it was fitted on.

    Raises:
        UserError: as :func:`predict_original`.
    """
    if schema.task == "regression":
        return Predictions(_numbers(estimator.predict(rows), schema), None)
    values = as_column(estimator.predict(rows))
    proper = hasattr(estimator, "predict_proba")
    if not proper and not hasattr(estimator, "decision_function"):
        name = type(estimator).__name__
        raise UserError(
            f"{name} gives labels alone, and should give probabilities or scores too "
            "(VotingClassifier: voting='soft')"
        )
    scores = estimator.predict_proba(rows) if proper else estimator.decision_function(rows)
    columns = np.asarray(scores, np.float64).reshape(len(values), -1)
    return Predictions(as_labels(values), columns if proper else by_class(columns), proper)


def _numbers(predicted: Any, schema: Schema) -> NDArray[np.float64]:
    values = as_numbers(predicted)
    came, wanted = 1 if values.ndim == 1 else values.shape[1], len(schema.targets)
    if came != wanted:
        many = "one value" if wanted == 1 else f"{wanted} values"
        raise UserError(
            f"the model should predict {many} per row, for {schema.target_name!r}, got {came} "
            "(see `target`)"
        )
    return values


def by_class(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return scores (rows, classes): the column d of a binary decision function becomes [-d, d]."""
    return np.hstack([-scores, scores]) if scores.shape[1] == 1 else scores
