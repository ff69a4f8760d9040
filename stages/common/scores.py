"""The score of the contract: accuracy of classifiers, R2 of regressors, on which budgets and gates are set."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.common.table import Schema


def score(schema: Schema, target: NDArray[Any], values: NDArray[Any]) -> float:
    """Accuracy or R2 of ``values`` against ``target``, both (rows,)."""
    return accuracy(target, values) if schema.task == "classification" else r2(target, values)


def accuracy(target: NDArray[Any], values: NDArray[Any]) -> float:
    """Share of equal labels, in [0, 1]; also the agreement of two models."""
    return float(np.mean(target == values))


def r2(target: NDArray[Any], values: NDArray[Any]) -> float:
    """Coefficient of determination; NaN for a constant target, where it is undefined."""
    spread = float(np.sum((target - target.mean()) ** 2))
    return 1 - float(np.sum((target - values) ** 2)) / spread if spread else float("nan")


def worse_than_constant(schema: Schema, target: NDArray[Any], values: NDArray[Any]) -> str | None:
    """In words how ``values`` score below one answer for all rows, as a wrong export does; None where they do not."""
    found = score(schema, target, values)
    if schema.task == "regression":
        return f"R2 {found:.4g}, where the mean of the target for every row has 0" if found < 0 else None
    labels, counts = np.unique(target, return_counts=True)
    share = float(counts.max() / len(target))
    often = labels.tolist()[int(counts.argmax())]
    return f"accuracy {found:.4g}, where {often!r} for every row has {share:.4g}" if found < share else None
