"""Scores that are means over the rows: what each row adds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.runtime.predictions import Predictions
from onnxpress.scores.score import Score
from onnxpress.tables.mapped import row_by_row

Floats = NDArray[np.float64]


def row_losses(score: Score, target: NDArray[Any], predictions: Predictions) -> Floats | None:
    """Return what each row adds to a loss whose mean is minus the score, (rows,).

    None if the score is no mean over rows, or the predictions lack what it needs. Of several
    targets it is their mean, as scikit-learn averages them.
    """
    if score.task == "regression":
        of_number = OF_NUMBERS.get(score.name)
        if of_number is None:
            return None

        def losses(truth: NDArray[Any], values: NDArray[Any]) -> Floats:
            found = of_number(np.asarray(truth, np.float64), values)
            return found if found.ndim == 1 else np.asarray(found.mean(axis=1))

        with np.errstate(all="ignore"):
            return row_by_row(losses, target, predictions.values)
    codes = score.encoded(target)
    if score.name == "accuracy":
        labels = score.encoded(predictions.values)
        return row_by_row(lambda one, other: np.asarray(one != other, np.float64), codes, labels)
    of_probabilities = OF_PROBABILITIES.get(score.name)
    scores = score.columns(predictions)
    if of_probabilities is None or scores is None or not predictions.proper:
        return None
    if codes.max() >= len(score.classes):
        return None
    return row_by_row(of_probabilities, codes, scores)


def _log_loss(codes: NDArray[np.int64], probabilities: Floats) -> Floats:
    """Minus the logarithm of the right class's probability."""
    return np.asarray(-np.log(probabilities[np.arange(len(codes)), codes]))


def _brier(codes: NDArray[np.int64], probabilities: Floats) -> Floats:
    """Squared distances from 0 and 1, added over the classes; of two classes only one counts."""
    right = np.eye(probabilities.shape[1])[codes]
    squares = ((probabilities - right) ** 2).sum(axis=1)
    return np.asarray(squares / 2 if probabilities.shape[1] == 2 else squares)


def _poisson(target: Floats, values: Floats) -> Floats:
    """Twice ``t log(t / v) - t + v``, where ``0 log 0`` is 0."""
    logs = np.where(target > 0, target * np.log(np.where(target > 0, target, 1) / values), 0)
    return np.asarray(2 * (logs - target + values))


OF_NUMBERS: dict[str, Callable[[Floats, Floats], Floats]] = {
    "neg_mean_absolute_error": lambda target, values: np.abs(target - values),
    "neg_mean_squared_error": lambda target, values: (target - values) ** 2,
    "neg_mean_absolute_percentage_error": lambda target, values: np.abs((target - values) / target),
    "neg_mean_squared_log_error": lambda target, values: (np.log1p(target) - np.log1p(values)) ** 2,
    "neg_mean_poisson_deviance": _poisson,
    "neg_mean_gamma_deviance": lambda target, values: (
        2 * (np.log(values / target) + target / values - 1)
    ),
}
OF_PROBABILITIES: dict[str, Callable[[NDArray[np.int64], Floats], Floats]] = {
    "neg_log_loss": _log_loss,
    "neg_brier_score": _brier,
}
