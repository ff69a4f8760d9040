"""What a model predicts for some rows, whichever library runs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.errors import UserError


@dataclass(frozen=True)
class Predictions:
    """What a model says of some rows.

    ``values`` has shape (rows,): labels (int64 or str) or predictions (float64).
    ``scores`` has shape (rows, classes), float64: probabilities, or decision scores of an estimator without them, the
    greatest of them the label's (an SVC with ``decision_function_shape="ovo"`` has a column for each pair of three and
    more classes instead); None for regression. ``proper`` tells probabilities from decision scores.
    """

    values: NDArray[Any]
    scores: NDArray[np.float64] | None
    proper: bool = True


def as_labels(values: NDArray[Any]) -> NDArray[Any]:
    """Labels as a (rows,) array of int64 or str, whichever container they came in."""
    flat = np.asarray(values).reshape(-1)
    whole = flat.dtype.kind in "biu" or (
        flat.dtype.kind == "f" and np.array_equal(flat, np.trunc(flat))
    )  # 1.0 of a float target
    return flat.astype(np.int64) if whole else flat.astype(str)


def as_column(values: Any) -> NDArray[Any]:
    """A (rows,) array of a (rows,) or (rows, 1) one: subtracting one from the other would broadcast to rows x rows."""
    array = np.asarray(values)
    if array.ndim > 1 and array.shape[1:] != (1,) * (array.ndim - 1):
        raise UserError(
            f"the model should predict one value per row, got the shape {array.shape}; multi-output models are not supported"
        )
    return array.reshape(-1)
