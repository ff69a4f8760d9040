"""The sums of a booster model row by row, as its docstring defines them, without ONNX."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.boosters.model import BoosterModel
from onnxpress.graph.trees.arrays import Membership


def sums(model: BoosterModel, rows: NDArray[Any]) -> NDArray[np.float64]:
    """Return what comes before the link (rows, outputs), for float32 rows."""
    result = []
    for row in np.asarray(rows, np.float32):
        read = np.concatenate([row, *(_columns(one, row) for one in model.memberships)])
        total = model.base.copy()
        for tree in model.trees:
            at = 0
            while tree.split[at]:
                value = read[tree.feature[at]]
                left = tree.missing_left[at] if np.isnan(value) else value <= tree.threshold[at]
                at = tree.left[at] if left else tree.right[at]
            leaf = tree.value[at] * model.scale
            total[tree.first_id : tree.first_id + len(leaf)] += leaf
        result.append(total)
    return np.array(result)


def _columns(one: Membership, row: NDArray[Any]) -> NDArray[Any]:
    """The columns of a membership of XGBoost: NaN of a missing value, then whole parts compared."""
    value = row[one.feature]
    if np.isnan(value):
        return np.full(one.right.shape[1], np.nan)
    known = np.flatnonzero(one.categories == np.floor(value))
    found: NDArray[Any] = one.right[1 + known[0] if len(known) else 0].astype(np.float64)
    return found
