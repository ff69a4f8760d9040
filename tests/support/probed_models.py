"""Models and rows that are probed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    RandomForestClassifier,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from onnxpress.tables.rows import Feeds, sklearn_input
from onnxpress.tables.schema import Column, Schema


def float32(values: Any) -> NDArray[np.float32]:
    return np.array(values, np.float32)


def numbers(
    classes: int = 3, missing: bool = False
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(300, 5)).astype(np.float32)
    y = np.digitize(x[:, 0] + x[:, 1] * x[:, 2], np.linspace(-1, 1, classes - 1))
    if missing:
        x[rng.random(x.shape) < 0.2] = np.nan
    return x, y


def encoded() -> tuple[Schema, Feeds, np.ndarray[Any, Any], Any]:
    """A forest behind encoders that put the columns in another order than the data."""
    rng = np.random.default_rng(5)
    city = rng.choice([f"city {i}" for i in range(12)], (400, 1))
    plan = rng.choice(["l", "m", "s"], (400, 1), p=[0.1, 0.4, 0.5])
    a, b = (rng.normal(size=(400, 1)).astype(np.float32) for _ in range(2))
    feeds = {"a": a, "city": city, "b": b, "plan": plan}
    y = (a[:, 0] + b[:, 0] * (plan[:, 0] == "m") > np.char.str_len(city[:, 0]) - 6).astype(int)
    kinds = {"a": "number", "city": "category", "b": "number", "plan": "category"}
    columns = tuple(Column(name, kind, missing=False) for name, kind in kinds.items())  # type: ignore[arg-type]
    blocks = [
        ("ordinal", OrdinalEncoder(), ["city"]),
        ("hot", OneHotEncoder(sparse_output=False), ["plan"]),
        ("numbers", "passthrough", ["b", "a"]),
    ]
    model = make_pipeline(ColumnTransformer(blocks), RandomForestClassifier(8, random_state=0))
    model.fit(sklearn_input(feeds), y)
    return Schema("classification", "y", columns), feeds, y, model
