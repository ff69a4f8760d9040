"""What a model predicts for some rows, whichever library runs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.errors import UserError
from onnxpress.tables.rows import Feeds


@dataclass(frozen=True)
class Predictions:
    """What a model predicts for some rows."""

    values: NDArray[Any]
    """Labels (int64 or str) or numbers (float64), (rows,)."""
    scores: NDArray[np.float64] | None
    """(rows, classes), None for regression: probabilities, or decision scores of a classifier
    without them. The greatest score of a row is the label's. An SVC with
    ``decision_function_shape="ovo"`` has a column for each pair of three and more classes instead.
    """
    proper: bool = True
    """Whether the scores are probabilities."""


Predict = Callable[[Feeds], Predictions]
"""How a model predicts rows, whichever library runs it."""


def as_labels(values: NDArray[Any]) -> NDArray[Any]:
    """Return labels as int64 or str (rows,), whichever container they came in.

    Whole floats, the classes of a float target, become int64 too.
    """
    flat = np.asarray(values).reshape(-1)
    kind = flat.dtype.kind
    whole = kind in "biu" or (kind == "f" and np.array_equal(flat, np.trunc(flat)))
    return flat.astype(np.int64) if whole else flat.astype(str)


def as_column(values: Any) -> NDArray[Any]:
    """Return values (rows,) or (rows, 1) as (rows,): one minus the other would be (rows, rows).

    Raises:
        UserError: there is more than one value per row.
    """
    array = np.asarray(values)
    if array.ndim > 1 and array.shape[1:] != (1,) * (array.ndim - 1):
        raise UserError(
            f"the model should predict one value per row, got the shape {array.shape}; "
            "multi-output models are not supported"
        )
    return array.reshape(-1)
