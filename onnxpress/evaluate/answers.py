"""The numbers in a model's answers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stages.common.models import Answer


def numbers(answer: Answer) -> NDArray[np.float64]:
    """Scores (rows, classes), or predictions (rows, 1)."""
    found = answer.values if answer.scores is None else answer.scores
    return np.asarray(found, np.float64).reshape(len(answer.values), -1)


def finite(answer: Answer) -> NDArray[np.bool_]:
    """Whether all numbers of a row are finite, (rows,)."""
    return np.asarray(np.isfinite(numbers(answer)).all(axis=1))
