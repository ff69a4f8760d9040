"""A table with two targets in units of their own, and forests fitted to it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.tables.schema import Column, Schema

TARGETS = ("price", "area")


def rows(count: int = 600, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Features (rows, 5) and two targets (rows, 2): about 0 to 20, and 900 to 1,100."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(count, 5)).astype(np.float32)
    price = 10 + 3 * x[:, 0] + np.where(x[:, 1] > 0, 2, -2)
    area = 1000 + 50 * x[:, 2] + 20 * np.sin(3 * x[:, 3])
    noise = random.normal(size=(count, 2)) * [0.3, 5]
    return x, np.column_stack([price, area]) + noise


def schema(y: NDArray[Any] | None = None) -> Schema:
    """The columns x0 to x4 and the two targets; ``y`` (rows, 2) gives their deviations."""
    columns = tuple(Column(f"x{place}", "number", missing=False) for place in range(5))
    spread = None if y is None else tuple(y.std(axis=0).tolist())
    return Schema("regression", TARGETS, columns, spread)
