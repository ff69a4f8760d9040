"""Rows of features and target, and their schema, in the two forms the chain uses: ONNX feeds and scikit-learn input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.tables.names import NUMERIC_INPUT, column_name, input_name
from onnxpress.tables.schema import Schema

Feeds = dict[str, NDArray[Any]]
"""ONNX inputs by name: ``{"X": float32 (rows, features)}``, or one (rows, 1) float32 or string array per column.

Text is an array of objects: one of fixed width would give each row the space of the longest.
"""


@dataclass(frozen=True)
class Rows:
    """Features and target of the same rows.

    ``feeds`` are the ONNX inputs; ``target`` has shape (rows,): int64 or str for classes, float64 for regression.
    """

    feeds: Feeds
    target: NDArray[Any]

    def __len__(self) -> int:
        return len(self.target)

    def take(self, index: NDArray[np.intp]) -> Rows:
        """The rows at ``index``, in that order."""
        return Rows(take(self.feeds, index), self.target[index])


def as_rows(columns: Mapping[str, NDArray[Any]], target: NDArray[Any], schema: Schema) -> Rows:
    """Return the rows of typed columns, each (rows,), in the order of the schema."""
    if not schema.all_numeric:
        names = [column.name for column in schema.columns]
        return Rows({input_name(name): columns[name].reshape(-1, 1) for name in names}, target)
    matrix = np.empty((len(target), len(schema.columns)), np.float32)
    for position, column in enumerate(schema.columns):
        matrix[:, position] = columns[column.name]
    return Rows({NUMERIC_INPUT: matrix}, target)


def take(feeds: Feeds, index: NDArray[np.intp]) -> Feeds:
    """The rows at ``index`` of every input, in that order."""
    return {name: values[index] for name, values in feeds.items()}


def sklearn_input(feeds: Feeds) -> Any:
    """The rows as the original was fitted on them: the matrix itself, or a DataFrame with a column per input."""
    if list(feeds) == [NUMERIC_INPUT] and feeds[NUMERIC_INPUT].dtype == np.float32:
        return feeds[NUMERIC_INPUT]
    import pandas as pd  # 0.4 s that all-numeric data need not pay

    kinds = {
        name: object if values.dtype.kind in "UO" else values.dtype
        for name, values in feeds.items()
    }
    return pd.DataFrame(
        {column_name(name): values[:, 0].astype(kinds[name]) for name, values in feeds.items()}
    )
