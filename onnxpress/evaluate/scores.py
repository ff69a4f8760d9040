"""The scores on which budgets and gates are set: accuracy of classifiers, R2 of regressors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.tables.schema import Schema


def score(schema: Schema, target: NDArray[Any], values: NDArray[Any]) -> float:
    """Return the accuracy or R2 of ``values`` against ``target``, both (rows,)."""
    return accuracy(target, values) if schema.task == "classification" else r2(target, values)


def accuracy(target: NDArray[Any], values: NDArray[Any]) -> float:
    """Return the share of equal labels, in [0, 1]; both arrays are (rows,)."""
    return float(np.mean(target == values))


def r2(target: NDArray[Any], values: NDArray[Any]) -> float:
    """Return the coefficient of determination of ``values`` against ``target``, both (rows,).

    It is NaN for a constant target, where it is undefined.
    """
    spread = float(np.sum((target - target.mean()) ** 2))
    return 1 - float(np.sum((target - values) ** 2)) / spread if spread else float("nan")
