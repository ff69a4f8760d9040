"""The numbers in a model's answers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stages.common.models import Answer


def numbers(answer: Answer) -> NDArray[np.float64]:
    """Scores (rows, classes), or predictions (rows, 1).

    Of labels alone there are none: (rows, 0).
    """
    if answer.scores is not None:
        return answer.scores
    rows = len(answer.values)
    found = answer.values if answer.values.dtype.kind == "f" else np.zeros((rows, 0))
    return found.reshape(rows, -1)


def finite(answer: Answer) -> NDArray[np.bool_]:
    """Whether all numbers of a row are finite, (rows,)."""
    return np.asarray(np.isfinite(numbers(answer)).all(axis=1))
