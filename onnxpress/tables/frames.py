"""From columns as they come to the two kinds that the models take, and to Parquet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import parquet, types

from onnxpress.errors import UserError
from onnxpress.pipeline.files import atomic_path
from onnxpress.tables.meanings import decoded, is_number, is_text, meaning, numbers, present, texts
from onnxpress.tables.schema import Column, Schema
from onnxpress.tables.wording import listed, shown
from onnxpress.tables.words import refuse_nul, refuse_stray_text, refuse_written_quantities

MAX_INTEGER_CLASSES = 20
"""``task: auto`` takes a target of whole numbers with more distinct values than this for a quantity."""
MAX_COLUMNS_WITH_CATEGORIES = 1000
"""With categories the models take an input per column: onnxruntime and skl2onnx are not made for more."""

Task = Literal["classification", "regression"]


def settle(
    source: pa.Table | pd.DataFrame,
    target: str,
    task: Literal["auto"] | Task,
    free_text: Collection[str] = (),
) -> tuple[pd.DataFrame, Schema]:
    """Columns in their final types, features first and the target last, and the schema that describes them.

    Rows without a target are left out. Numbers become float32, from the first stage on: a model trained in float64 and
    served in float32 parts ways with its ONNX form at the split thresholds. Everything else becomes a string, empty
    where it is missing: a category, or text for the columns in ``free_text``. A DataFrame's index is dropped at once.

    Raises:
        UserError: naming the column that cannot be used, and why.
    """
    table = as_table(source) if isinstance(source, pd.DataFrame) else source
    table = pa.table([decoded(column) for column in table.columns], names=table.column_names)
    features = feature_names(table, target, free_text)
    rows = np.flatnonzero(present(table[target]))
    if not len(rows):
        raise UserError(
            f"data.source: target {shown(target)} has no value in any row; name another column in params.yaml (data.target)"
        )
    columns, values = [], {}
    for name in features:
        column, values[name] = settle_feature(
            table[name].take(rows), name, rows, is_free=name in free_text
        )
        columns.append(column)
    labels = table[target].take(rows)
    meaning(labels, target, "target")
    task = decide_task(labels) if task == "auto" else task
    values[target] = settle_target(labels, target, task, rows)
    return pd.DataFrame(values), Schema(task, target, tuple(columns))


def as_table(frame: pd.DataFrame) -> pa.Table:
    """The columns of a DataFrame under the text of their names, without its index.

    Raises:
        UserError: two columns have one name, or a column holds values of several types.
    """
    names = [str(name) for name in frame.columns]
    if twice := next((name for name, count in Counter(names).items() if count > 1), None):
        raise UserError(
            f"data.source: column {shown(twice)} is there more than once; rename or drop one"
        )
    try:
        table = pa.Table.from_pandas(frame.set_axis(names, axis=1), preserve_index=False)
    except (pa.ArrowException, TypeError) as error:
        raise UserError(
            f"data.source: {' '.join(map(str, error.args))}; expected one type per column"
        ) from error
    return table.replace_schema_metadata(None)


def feature_names(table: pa.Table, target: str, free_text: Collection[str]) -> list[str]:
    """The names of the feature columns.

    Raises:
        UserError: there are no rows, no features, no such column of text, or too many columns beside text.
    """
    if not table.num_rows:
        raise UserError(
            "params.yaml: data.source has a header but no rows; expected at least a few dozen"
        )
    features = [name for name in table.column_names if name != target]
    if not features:
        raise UserError(
            f"params.yaml: data.source has no feature column beside the target {shown(target)}"
        )
    if absent := sorted(set(free_text) - set(features)):
        raise UserError(
            f"params.yaml: data.text {shown(absent[0])} is no feature column; they are {listed(features, 20)}"
        )
    words = sum(not is_number(table.schema.field(name).type) for name in features)
    if words and len(features) > MAX_COLUMNS_WITH_CATEGORIES:
        raise UserError(
            f"data.source has {len(features)} feature columns, {words} of them text; expected at most "
            f"{MAX_COLUMNS_WITH_CATEGORIES}, or numbers only: drop columns or encode the text as numbers"
        )
    return features


def settle_feature(
    values: pa.ChunkedArray, name: str, rows: NDArray[np.intp], *, is_free: bool
) -> tuple[Column, Any]:
    """One feature column in its final type; ``rows`` are the rows' numbers in the file, from 0.

    Raises:
        UserError: the column is empty, infinite, too large for float32, or of a type that no model takes.
    """
    there = present(values)
    if not there.any():
        raise UserError(f"data.source: column {shown(name)} has no value in any row; drop it")
    missing = not there.all()
    if meaning(values, name) == "number" and not is_free:
        return Column(name, "number", missing), single(
            numbers(values), f"column {shown(name)}", rows
        )
    words = texts(values)
    refuse_nul(words, f"column {shown(name)}", rows)
    if not is_free:
        refuse_stray_text(words, f"column {shown(name)}", rows)
    return Column(name, "text" if is_free else "category", missing), pd.Series(words, dtype="str")


def single(values: NDArray[np.float64], what: str, rows: NDArray[np.intp]) -> NDArray[np.float32]:
    """Numbers as float32.

    Raises:
        UserError: one is infinite, or becomes so.
    """
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32)
    if np.isinf(narrow).any():
        place = int(np.flatnonzero(np.isinf(narrow))[0])
        raise UserError(
            f"data.source: {what} has {values[place]} in row {rows[place] + 1}; expected finite float32 numbers"
        )
    return narrow


def decide_task(target: pa.ChunkedArray) -> Task:
    """Classification for text, booleans and whole numbers with few distinct values; regression otherwise.

    How whole numbers are stored decides nothing: a single gap makes floats of them.
    """
    if not is_number(target.type) or types.is_boolean(target.type):
        return "classification"
    whole = whole_numbers(target)
    beyond = types.is_integer(target.type) or (
        types.is_decimal(target.type) and target.type.scale == 0
    )
    if whole is None and not beyond:
        return "regression"
    distinct = pc.count_distinct(target).as_py() if whole is None else len(np.unique(whole))
    return "classification" if distinct <= MAX_INTEGER_CLASSES else "regression"


def whole_numbers(values: pa.ChunkedArray) -> NDArray[np.int64] | None:
    """Numbers as int64, booleans as 0 and 1, or None if one is not whole or beyond 64 bits."""
    if types.is_float16(values.type):  # Arrow has no way from there
        values = pc.cast(values, pa.float64())
    try:
        array: NDArray[np.int64] = pc.cast(values, pa.int64()).to_numpy()
    except pa.ArrowInvalid:
        return None
    return array


def settle_target(target: pa.ChunkedArray, name: str, task: Task, rows: NDArray[np.intp]) -> Any:
    """The target as int64 or str (classification) or float64 (regression); it has a value in every row.

    Raises:
        UserError: values are beyond float32, not numbers for a regression, or all the same.
    """
    if task == "regression":
        if not is_number(target.type):
            class_names(target, name, rows)  # which may know better what is wrong
            raise UserError(
                f"data.source: target {shown(name)} holds text; regression expects numbers (params.yaml: data.task)"
            )
        quantities = numbers(target)
        single(quantities, f"target {shown(name)}", rows)  # in which ONNX answers
        if (quantities == quantities[0]).all():
            raise UserError(
                f"data.source: target {shown(name)} has one value only, {quantities[0]}; expected at least two"
            )
        return quantities
    whole = whole_numbers(target) if is_number(target.type) else None
    labels: Any = whole if whole is not None else class_names(target, name, rows)
    if (labels == labels[0]).all():
        raise UserError(
            f"data.source: target {shown(name)} has one class only, {plain(labels[0])!r}; expected at least two"
        )
    return labels


def class_names(target: pa.ChunkedArray, name: str, rows: NDArray[np.intp]) -> Any:
    """Classes that are no whole numbers, as text.

    Raises:
        UserError: they are a quantity with words in it, or hold NUL characters.
    """
    words = texts(target)
    refuse_nul(words, f"target {shown(name)}", rows)
    if is_text(target.type):
        refuse_stray_text(words, f"target {shown(name)}", rows)
        refuse_written_quantities(words, f"target {shown(name)}")
    return pd.Series(words, dtype="str")


def plain(value: Any) -> Any:
    """A scalar as Python shows it: 7 and not np.int64(7)."""
    return value.item() if isinstance(value, np.generic) else value


def write_parquet(path: Path, frame: pd.DataFrame) -> None:
    """Write rows without pandas' own metadata, so that the same rows always have the same bytes."""
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    with atomic_path(path) as temporary:
        parquet.write_table(table, temporary)
