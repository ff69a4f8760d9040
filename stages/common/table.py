"""Rows of features and target, and their schema, in the two forms the chain uses: ONNX feeds and scikit-learn input."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from stages.common.cells import text_of_cell
from stages.common.errors import UserError
from stages.common.files import MODELS, PREDICTIONS, SCHEMA, read_bytes, read_json

Feeds = dict[str, NDArray[Any]]
"""ONNX inputs by name: ``{"X": float32 (rows, features)}``, or one (rows, 1) float32 or string array per column.

Text is an array of objects: one of fixed width would give each row the space of the longest.
"""

NUMERIC_INPUT = "X"
OUTPUT_NAMES = "label", "probabilities", "scores", "prediction"
_LIKE_AN_OUTPUT = re.compile(f"({'|'.join(OUTPUT_NAMES)})(_input)*")


def input_name(column: str) -> str:
    """The ONNX input of a column: its own name, but for names of outputs, which get ``_input`` behind them.

    So that two columns never share an input, a column that is called like such an input gets one more.
    """
    return f"{column}_input" if _LIKE_AN_OUTPUT.fullmatch(column) else column


def column_name(name: str) -> str:
    """The column of an ONNX input."""
    return name.removesuffix("_input") if _LIKE_AN_OUTPUT.fullmatch(name) else name


@dataclass(frozen=True)
class Column:
    """A feature column: ``number`` is float32 with NaN where missing, ``category`` and ``text`` strings, empty there."""

    name: str
    kind: Literal["number", "category", "text"]
    missing: bool


@dataclass(frozen=True)
class Schema:
    """What every stage knows of the data: the task, the target, and the feature columns in order."""

    task: Literal["classification", "regression"]
    target: str
    columns: tuple[Column, ...]
    target_std: float | None = None
    """Regression: standard deviation of the training rows' target, in its own unit."""

    @property
    def all_numeric(self) -> bool:
        """Whether the models take one matrix ``X`` instead of one input per column."""
        return all(column.kind == "number" for column in self.columns)

    def to_json(self) -> dict[str, Any]:
        """The content of outputs/schema.json."""
        return asdict(self)


def read_schema() -> Schema:
    """Read outputs/schema.json.

    Raises:
        UserError: the file is missing or is not what the prepare stage writes.
    """
    return as_schema(read_json(SCHEMA))


def as_schema(content: dict[str, Any]) -> Schema:
    """The schema of a parsed schema.json.

    Raises:
        UserError: it is not what the prepare stage writes.
    """
    try:
        columns = tuple(Column(**column) for column in content.pop("columns"))
        return Schema(columns=columns, **content)
    except (KeyError, TypeError) as error:
        raise UserError(f"{SCHEMA} is not what the prepare stage writes ({error}); run `dvc repro --force prepare`") from error


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


def take(feeds: Feeds, index: NDArray[np.intp]) -> Feeds:
    """The rows at ``index`` of every input, in that order."""
    return {name: values[index] for name, values in feeds.items()}


def read_rows(path: Path, schema: Schema) -> Rows:
    """Read a Parquet file that the prepare stage has written.

    Raises:
        UserError: the file is missing, is not Parquet, or lacks a column of the schema.
    """
    import pyarrow as pa  # 0.2 s that stages without rows need not pay
    from pyarrow import parquet

    try:
        data = pa.BufferReader(read_bytes(path))  # bytes: what C++ opens, no audit hook sees
        table = parquet.ParquetFile(data, pre_buffer=False).read(use_threads=False)  # threads may abort a process that ends
        values = {column.name: table[column.name].to_numpy() for column in schema.columns}
        target = table[schema.target].to_numpy()
    except (OSError, pa.ArrowException, KeyError) as error:
        raise UserError(f"{path} is not what the prepare stage writes ({error}); run `dvc repro --force prepare`") from error
    target = target.astype(str) if target.dtype == object else target
    if schema.all_numeric:
        matrix = np.empty((len(target), len(values)), np.float32)
        for position, column in enumerate(values.values()):
            matrix[:, position] = column
        return Rows({NUMERIC_INPUT: matrix}, target)
    return Rows({input_name(name): column.reshape(-1, 1) for name, column in values.items()}, target)


def read_predictions() -> dict[str, NDArray[np.str_]]:
    """The columns of outputs/predictions.csv by name, each (rows,): ``target`` and the answer of every model, as text.

    Raises:
        UserError: the file is missing or is not what the evaluate stage writes.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(read_bytes(PREDICTIONS).decode())))
        columns = {name: np.array([text_of_cell(row[name] or "") for row in rows], np.str_) for name in ("target", *MODELS)}
    except (KeyError, ValueError, csv.Error) as error:
        again = "run `dvc repro --force evaluate`"
        raise UserError(f"{PREDICTIONS} is not what the evaluate stage writes ({error!r}); {again}") from error
    if not rows:
        raise UserError(f"{PREDICTIONS} holds no row; run `dvc repro --force evaluate`")
    return columns


def sklearn_input(feeds: Feeds) -> Any:
    """The rows as the original was fitted on them: the matrix itself, or a DataFrame with a column per input."""
    if list(feeds) == [NUMERIC_INPUT] and feeds[NUMERIC_INPUT].dtype == np.float32:
        return feeds[NUMERIC_INPUT]
    import pandas as pd  # 0.4 s that all-numeric data need not pay

    kinds = {name: object if values.dtype.kind in "UO" else values.dtype for name, values in feeds.items()}
    return pd.DataFrame({column_name(name): values[:, 0].astype(kinds[name]) for name, values in feeds.items()})
