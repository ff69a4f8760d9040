"""``X`` and ``y`` as callers pass them, as the typed columns and rows that the library works on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from onnxpress.errors import UserError
from onnxpress.runtime.predictions import as_labels
from onnxpress.tables.arrow_types import decoded, is_number, meaning, numbers, present
from onnxpress.tables.column_types import (
    Task,
    as_table,
    class_names,
    quantities,
    type_feature,
    whole_numbers,
)
from onnxpress.tables.names import NUMERIC_INPUT, input_name
from onnxpress.tables.rows import Feeds, Rows, as_rows
from onnxpress.tables.schema import Column, Schema
from onnxpress.tables.tensors import TABLE, as_tensor, tensor_columns
from onnxpress.tables.wording import shown

TARGET = "y"
"""What a schema calls the target where the caller's ``y`` has no name."""


@dataclass(frozen=True)
class Features:
    """The columns of ``X``: what they are, and the (rows,) values of each by name.

    Of tensors the values are (rows, ...).
    """

    columns: tuple[Column, ...]
    values: dict[str, NDArray[Any]]

    exact: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    """The columns of numbers that float32 does not hold exactly, as they came, (rows,)."""

    def __len__(self) -> int:
        return len(next(iter(self.values.values())))

    def schema(self, task: Task, target: NDArray[Any] | None = None, *, targets: int = 1) -> Schema:
        """Return the schema of these columns and of a target named ``y``, or of several.

        ``target`` has their values, for the standard deviations of a regression: (rows,), or (rows,
        targets), which then says how many there are.
        """
        spread = None
        if target is not None and task == "regression":
            targets = 1 if target.ndim == 1 else target.shape[1]
            spread = target.std(axis=0).tolist()
        if targets == 1:
            return Schema(task, TARGET, self.columns, spread)
        names = tuple(f"{TARGET}{number}" for number in range(targets))
        return Schema(task, names, self.columns, None if spread is None else tuple(spread))

    def feeds(self) -> Feeds:
        """Return the ONNX inputs."""
        return self.rows(np.zeros(len(self), np.int64), "classification").feeds

    def exact_feeds(self) -> Feeds:
        """Return the ONNX inputs as they would be if ONNX took float64."""
        feeds = self.feeds()
        if NUMERIC_INPUT in feeds and self.exact:
            exact = [self.exact.get(each.name, self.values[each.name]) for each in self.columns]
            return {NUMERIC_INPUT: np.stack(exact, axis=1, dtype=np.float64)}
        columns = {input_name(name): values.reshape(-1, 1) for name, values in self.exact.items()}
        return {**feeds, **columns}

    def rows(self, target: NDArray[Any], task: Task) -> Rows:
        """Return the rows with their ``target``, (rows,) or (rows, targets)."""
        return as_rows(self.values, target, self.schema(task))


def features(X: Any) -> Features:
    """Type the columns of ``X``: numbers as float32, everything else as text.

    ``X`` is a DataFrame, an Arrow table, an array of shape (rows, columns), or a list or Series of
    texts, which counts as one column. A DataFrame's index is dropped. Tensors are an array (rows,
    ...) of three dimensions or more, the input ``X``, or a mapping from names of inputs to arrays.

    Raises:
        UserError: ``X`` has another form, or a column that no model takes.
    """
    if isinstance(X, Mapping) or (isinstance(X, np.ndarray) and X.ndim > TABLE):
        return _tensors(X if isinstance(X, Mapping) else {NUMERIC_INPUT: X})
    with _about("X"):
        table = _arrow(X)
    if not (table.num_rows and table.num_columns):
        raise UserError(f"X should have rows and columns, got {table.shape}")
    columns, values, exact = [], {}, {}
    for name in table.column_names:
        with _about("X"):
            column, values[name] = _typed(decoded(table[name]), name)
        columns.append(column)
        if column.kind == "number":
            wide = numbers(decoded(table[name]))
            if not np.array_equal(wide, values[name], equal_nan=True):
                exact[name] = wide
    return Features(tuple(columns), values, exact)


def _tensors(X: Mapping[Any, Any]) -> Features:
    """Type tensors by name.

    Raises:
        UserError: they are no arrays of numbers with as many rows each.
    """
    with _about("X"):
        if not X or not all(isinstance(name, str) for name in X):
            raise UserError(f"X should map names of inputs to arrays, got {shown(list(X))}")
        arrays = {name: np.asarray(values) for name, values in X.items()}
        first = next(iter(arrays.values()))
        columns = tensor_columns(arrays, len(first) if first.ndim else 0, "the first array")
    return Features(columns, {name: as_tensor(values) for name, values in arrays.items()})


def targets(y: Any, task: Task, rows: int) -> NDArray[Any]:
    """Return ``y`` as int64 or text (classification) or float64 (regression), (rows,).

    Of a regression with several targets, ``y`` is (rows, targets), and so is the result.

    Raises:
        UserError: ``y`` has another length than ``X`` or other values than the task needs, or a
            value is missing.
    """
    with _about(TARGET):
        array = _as_array(y, rows)
        if task == "regression" and array.ndim == 2 and array.shape[1] > 1:
            columns = [targets(column, task, rows) for column in array.T]
            return np.stack(columns, axis=1)
        column = _one_column(array, rows)
        gaps = np.flatnonzero(~present(column))
        if len(gaps):
            raise UserError(f"row {gaps[0] + 1} has no value; leave such rows out")
        meaning(column, TARGET, "target")
        if task == "regression":
            return quantities(column, TARGET, np.arange(rows))
        whole = whole_numbers(column) if is_number(column.type) else None
        names = class_names(column, TARGET, np.arange(rows)) if whole is None else whole
        return as_labels(names)


def _arrow(X: Any) -> pa.Table:
    """``X`` as an Arrow table."""
    if isinstance(X, pa.Table):
        return X
    if isinstance(X, pd.DataFrame):
        return as_table(X)
    if hasattr(X, "tocsr"):
        raise UserError("X should be dense, got a sparse matrix; pass X.toarray()")
    array = X if isinstance(X, np.ndarray) else np.asarray(X, object)
    if array.ndim == 1 and array.dtype.kind in "UO" and _are_texts(array):
        return as_table(pd.DataFrame({"text": array.astype(object)}))
    if array.ndim != 2:
        raise UserError(f"X should have two dimensions, rows and columns, got shape {array.shape}")
    names = [f"x{position}" for position in range(array.shape[1])]
    return as_table(pd.DataFrame(array, columns=names))


def _are_texts(values: NDArray[Any]) -> bool:
    """Whether these are texts, and at least one."""
    return bool(len(values)) and all(isinstance(each, str) for each in values)


def _typed(values: pa.ChunkedArray, name: str) -> tuple[Column, NDArray[Any]]:
    """One column in its final type; one without any value is allowed, the estimator knows it."""
    if not present(values).any():
        if is_number(values.type):
            return Column(name, "number", missing=True), np.full(len(values), np.nan, np.float32)
        return Column(name, "category", missing=True), np.full(len(values), "", object)
    text = meaning(values, name) == "text"
    column, typed = type_feature(values, name, np.arange(len(values)), is_free=text)
    return column, np.asarray(typed, object if text else np.float32)


def _as_array(y: Any, rows: int) -> NDArray[Any]:
    try:
        return y.to_numpy() if isinstance(y, (pd.Series, pd.DataFrame)) else np.asarray(y)
    except ValueError as error:  # of rows of several lengths
        raise UserError(f"y should have one value for each of {rows} rows ({error})") from error


def _one_column(array: NDArray[Any], rows: int) -> pa.ChunkedArray:
    """``y`` as one Arrow column of ``rows`` rows."""
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.shape != (rows,):
        raise UserError(f"y should have one value for each of {rows} rows, got shape {array.shape}")
    return decoded(as_table(pd.DataFrame({TARGET: array}))[TARGET])


@contextmanager
def _about(argument: str) -> Iterator[None]:
    """Name the argument in the errors of the block."""
    try:
        yield
    except UserError as error:
        line = str(error).replace(" (see `task`)", "")  # which no function takes
        if not line.startswith(f"{argument} "):
            line = f"{argument}: {line}"
        raise UserError(line) from error
