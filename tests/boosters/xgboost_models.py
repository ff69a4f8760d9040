"""Models of XGBoost fitted on a small table, and rows that ask them at their own thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray

from onnxpress.boosters.model import BoosterModel

CODED = (4, 5)
"""Columns with the codes of 12 and 40 categories."""
TYPES = ["q"] * 4 + ["c"] * 2
SIZE = 300


@dataclass(frozen=True)
class Table:
    """Rows (rows, 6) float32 with missing numbers, and targets of all kinds."""

    rows: NDArray[np.float32]
    number: NDArray[np.float64]
    two: NDArray[np.int64]
    three: NDArray[np.int64]

    def goal(self, objective: str) -> NDArray[Any]:
        """The target that an objective needs."""
        if objective.startswith(("binary", "reg:logistic")):
            return self.two
        if objective.startswith(("multi", "rank")):
            return self.three
        return self.number


def table() -> Table:
    """Return the same table each time."""
    random = np.random.default_rng(0)
    rows = random.normal(size=(SIZE, 6)).astype(np.float32)
    rows[:, 4], rows[:, 5] = random.integers(0, 12, SIZE), random.integers(0, 40, SIZE)
    score = rows[:, 0] + rows[:, 1] * rows[:, 2] + rows[:, 4] % 3 + np.sin(rows[:, 5])
    rows[random.random(rows.shape) < 0.1] = np.nan
    number = (score - score.min() + 0.1).astype(np.float64)
    three = np.digitize(score, np.quantile(score, [0.3, 0.6]))
    return Table(rows, number, (score > np.median(score)).astype(np.int64), three)


def matrix(rows: NDArray[Any], categories: bool, **given: Any) -> xgboost.DMatrix:
    """Rows for XGBoost, with native categories or none."""
    types = TYPES if categories else None
    return xgboost.DMatrix(rows, feature_types=types, enable_categorical=categories, **given)


def fitted(
    data: Table,
    params: dict[str, Any],
    *,
    goal: Any = None,
    categories: bool = False,
    rounds: int = 8,
) -> xgboost.Booster:
    """Fit a booster to the target that its objective needs, or to ``goal``."""
    fixed = {"nthread": 1, "max_depth": 4, "seed": 1, "learning_rate": 0.5}
    objective = params.get("objective", "reg:squarederror")
    label = data.goal(objective) if goal is None else goal
    given: dict[str, Any] = {"label": label}
    if objective.startswith("rank"):
        given["group"] = [SIZE // 3] * 3
    return xgboost.train(fixed | params, matrix(data.rows, categories, **given), rounds)


def probes(model: BoosterModel, data: Table, seed: int = 0) -> NDArray[np.float32]:
    """Return rows of the table, rows at thresholds and one step above, and odd categories."""
    random = np.random.default_rng(seed)
    asked = [data.rows[:100]]
    for tree in model.trees[:12]:
        for feature, threshold in zip(
            tree.feature[tree.split], tree.threshold[tree.split], strict=True
        ):
            if feature >= len(model.features):
                continue
            near = np.repeat(data.rows[random.integers(SIZE)][None], 2, axis=0)
            near[0, feature] = threshold
            near[1, feature] = np.nextafter(np.float32(threshold), np.float32(np.inf))
            asked.append(near)
    for value in (-1, -0.5, 0.0, -0.0, 2.5, 11.99, 40, 250, 2**24 - 1, 2**24, 1e30, np.nan):
        odd = np.repeat(data.rows[random.integers(0, SIZE, 4)], 2, axis=0)
        odd[::2, CODED[0]] = odd[1::2, CODED[1]] = value
        asked.append(odd)
    return np.concatenate(asked).astype(np.float32)
