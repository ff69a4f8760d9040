"""How well the rows of a rare class are ranked above the others.

A forest that was fitted on few rows of a class labels hardly any row with it, so that its recall
shows little of what a smaller model has lost. The average precision of the class shows more: it
looks at the order of all rows, and not at the side of one threshold that they are on.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.runtime.predictions import Predictions, as_labels
from onnxpress.scores.errors import score_error
from onnxpress.scores.score import Score

if TYPE_CHECKING:
    from onnxpress.scores.score import Label

RARE_SHARE = 0.2
"""Share of the rows below which a class is rare."""


def ranking_losses(
    score: Score, target: NDArray[Any], before: Predictions, after: Predictions
) -> dict[Label, tuple[float, float]]:
    """Return the loss of average precision of each rare class against all others, and its error.

    ``target`` is (rows,). Empty where no class is rare, or a model has no score for each class.
    """
    found: dict[Label, tuple[float, float]] = {}
    labels = as_labels(target)
    one_of_two = Score("average_precision", "classification", (0, 1), 1)
    for column, label in enumerate(score.classes):
        own = (labels == label).astype(np.int64)
        pair = [_of_class(each, column, len(score.classes)) for each in (before, after)]
        if not 0 < own.mean() < RARE_SHARE or pair[0] is None or pair[1] is None:
            continue
        value = one_of_two(own, pair[0]) - one_of_two(own, pair[1])
        error = score_error(one_of_two, own, pair[0], pair[1])
        found[label] = value, 0.0 if math.isnan(error) else error
    return found


def _of_class(predictions: Predictions, column: int, n_classes: int) -> Predictions | None:
    """Return the scores of one class against all others; None without a column for it."""
    scores = predictions.scores
    if scores is None or scores.shape[1] != n_classes:
        return None
    own = scores[:, column]
    labels = np.zeros(len(own), np.int64)
    return Predictions(labels, np.stack([-own, own], axis=1), proper=False)
