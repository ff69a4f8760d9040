"""Rows of features and target, as inputs of an ONNX model and of a scikit-learn estimator."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.tables.mapped import joined, spans
from onnxpress.tables.names import NUMERIC_INPUT, column_name, input_name
from onnxpress.tables.schema import Schema

Feeds = dict[str, NDArray[Any]]
"""ONNX inputs by name: ``X``, float32 (rows, features), or per column float32 or text (rows, 1).
A tensor is (rows, ...), float32, int64 or uint8.

Text is an array of objects: an array of fixed width would give each row the space of the longest.
"""


@dataclass(frozen=True)
class Rows:
    """Features and target of the same rows."""

    feeds: Feeds
    """The ONNX inputs."""
    target: NDArray[Any]
    """(rows,): int64 or str for classes, float64 for regression; of several targets, float64
    (rows, targets)."""
    groups: NDArray[np.int64] | None = None
    """The number of each row's group, (rows,); None if the rows are in no groups."""

    def __len__(self) -> int:
        return len(self.target)

    def take(self, index: NDArray[np.intp]) -> Rows:
        """Return the rows at ``index``, in that order."""
        groups = None if self.groups is None else self.groups[index]
        return Rows(take(self.feeds, index), self.target[index], groups)


def as_rows(
    columns: Mapping[str, NDArray[Any]],
    target: NDArray[Any],
    schema: Schema,
    groups: NDArray[np.int64] | None = None,
) -> Rows:
    """Return the rows of typed columns, each (rows,), in the order of the schema.

    Tensors are (rows, ...).
    """
    if schema.has_tensors:
        feeds = {input_name(each.name): columns[each.name] for each in schema.columns}
        return Rows(feeds, target, groups)
    if not schema.all_numeric:
        names = [column.name for column in schema.columns]
        feeds = {input_name(name): columns[name].reshape(-1, 1) for name in names}
        return Rows(feeds, target, groups)
    matrix = np.empty((len(target), len(schema.columns)), np.float32)
    for position, column in enumerate(schema.columns):
        matrix[:, position] = columns[column.name]
    return Rows({NUMERIC_INPUT: matrix}, target, groups)


def take(feeds: Feeds, index: NDArray[np.intp]) -> Feeds:
    """Return the rows at ``index`` of every input, in that order."""
    return {name: values[index] for name, values in feeds.items()}


def joined_rows(parts: Iterable[Rows], rows: int) -> Rows:
    """Return ``rows`` rows, of which some come at a time.

    Raises:
        ValueError: there are no parts.
    """
    names: list[str] = []

    def arrays() -> Iterator[list[NDArray[Any]]]:
        for part in parts:
            names[:] = part.feeds
            groups = [] if part.groups is None else [part.groups]
            yield [*map(_shared, part.feeds.values()), part.target, *groups]

    found = joined(arrays(), rows)
    feeds = dict(zip(names, found, strict=False))
    target, *groups = found[len(names) :]
    return Rows(feeds, target, *groups)


def _shared(values: NDArray[Any]) -> NDArray[Any]:
    """Return texts of which equal ones are one object; numbers as they are."""
    if values.dtype.kind != "O":
        return values
    known: dict[str, str] = {}
    flat = [known.setdefault(text, text) for text in values.ravel()]
    return np.array(flat, object).reshape(values.shape)


def pieces_of(feeds: Feeds) -> Iterator[Feeds]:
    """Yield the rows in pieces, as :func:`.spans` divides them."""
    for span in spans(len(next(iter(feeds.values())))):
        yield {name: values[span] for name, values in feeds.items()}


def sklearn_input(feeds: Feeds) -> Any:
    """Return the rows as the original was fitted on them: a matrix, a DataFrame, or tensors."""
    if list(feeds) == [NUMERIC_INPUT] and feeds[NUMERIC_INPUT].dtype == np.float32:
        return feeds[NUMERIC_INPUT]
    if any(values.shape[1:] != (1,) for values in feeds.values()):
        return {column_name(name): values for name, values in feeds.items()}
    import pandas as pd  # 0.4 s that all-numeric data need not pay

    columns = {}
    for name, values in feeds.items():
        kind = object if values.dtype.kind in "UO" else values.dtype
        columns[column_name(name)] = values[:, 0].astype(kind)
    return pd.DataFrame(columns)
