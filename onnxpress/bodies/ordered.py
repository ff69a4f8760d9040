"""Numbers and splits in the order of float32, as whole numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.graph.trees.forest import Forest, Mode


@dataclass(frozen=True)
class Splits:
    """Splits that all ask ``order(x) <= cut``; children are splits, or splits plus leaves."""

    cut: NDArray[np.int32]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    missing_left: NDArray[np.bool_]
    root: NDArray[np.int64]


def as_splits(forest: Forest) -> Splits:
    """Write the splits of ``forest`` by one comparison.

    ``x < t`` is ``x <=`` the number before ``t``. ``x > t`` is ``x <= t`` with its children
    swapped, and a missing number goes to the left one then.
    """
    strict = np.isin(forest.mode, (Mode.LT, Mode.GTE))
    swapped = np.isin(forest.mode, (Mode.GT, Mode.GTE))

    def nodes(child: NDArray[np.int32]) -> NDArray[np.int64]:
        return np.where(child < 0, forest.n_splits + ~child.astype(np.int64), child)

    yes, no = nodes(forest.true_child), nodes(forest.false_child)
    return Splits(
        rank(forest.threshold) - strict.astype(np.int32),
        np.where(swapped, no, yes),
        np.where(swapped, yes, no),
        forest.missing_true != swapped,
        nodes(forest.roots),
    )


def rank(numbers: NDArray[Any]) -> NDArray[np.int32]:
    """The place of float32 numbers among all, infinities too; both zeros have 0.

    >>> rank(np.float32([0.0, -0.0, 1e-45, -1e-45])).tolist()
    [0, 0, 1, -1]
    """
    bits = np.asarray(numbers, np.float32).view(np.int32)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits).astype(np.int32)
