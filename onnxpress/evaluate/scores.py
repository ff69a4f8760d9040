"""The score of the contract: accuracy of classifiers, R2 of regressors, on which budgets and gates are set."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.tables.schema import Schema


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


def worse_than_constant(
    schema: Schema, target: NDArray[Any], values: NDArray[Any], rows: str
) -> str | None:
    """A warning where ``values`` score below one answer for all ``rows``, as those of a wrong export do; else None."""
    found = score(schema, target, values)
    if schema.task == "regression":
        name, constant, always = "R2", 0.0, "the mean of the target"
    else:
        classes, counts = np.unique(target, return_counts=True)
        name, constant, always = (
            "accuracy",
            float(counts.max() / len(target)),
            repr(classes[counts.argmax()].item()),
        )
    if not found < constant:
        return None
    return (
        f"warning: the original is worse than a constant on the {len(target)} {rows} rows: {name} {found:.4f}, against "
        f"{constant:.4f} for {always} every time; check that it was fitted on these columns and this target"
    )
