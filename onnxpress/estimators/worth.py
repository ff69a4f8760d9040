"""Whether an original is worth its while: whether it predicts better than a constant does."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def worse_than_a_constant(values: NDArray[Any], target: NDArray[Any], rows: str) -> str | None:
    """One line with both scores where predictions are worse than a constant's on the same ``rows``; None where not.

    The constant is the most frequent class, or the mean of the target. ``values`` and ``target`` have the shape (rows,).
    """
    if target.dtype.kind == "f":
        spread = float(np.sum((target - target.mean()) ** 2))
        score = 1 - float(np.sum((target - values) ** 2)) / spread if spread else 0.0
        name, constant, always = "R2", 0.0, "the mean"
    else:
        classes, counts = np.unique(target, return_counts=True)
        score = float(np.mean(values.astype(str) == target.astype(str)))
        name, constant, always = "accuracy", float(counts.max() / len(target)), repr(classes[counts.argmax()].item())
    if not score < constant:
        return None
    return (
        f"warning: the original is worse than a constant on the {len(target)} {rows}: {name} {score:.4f}, "
        f"against {constant:.4f} for {always} every time; check that it was fitted on these columns and this target"
    )
