"""The type of every column, whichever file or frame it comes from: CSV, Parquet, a DataFrame.

A feature becomes float32 or text, a target int64, text or float64. What an Arrow type means is
the table in :mod:`onnxpress.tables.arrow_types`; the cells of a CSV file are read before this,
by :mod:`onnxpress.tables.csv_types`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import types

from onnxpress.errors import UserError
from onnxpress.tables.arrow_types import (
    decoded,
    is_number,
    is_text,
    meaning,
    numbers,
    present,
    texts,
)
from onnxpress.tables.groups import check_group, group_numbers
from onnxpress.tables.schema import Column, Schema, Target, columns_of
from onnxpress.tables.stray_text import refuse_nul, refuse_stray_text, refuse_written_quantities
from onnxpress.tables.wording import listed, shown

MAX_INTEGER_CLASSES = 20
"""With ``task`` auto, whole numbers with more distinct values than this are a quantity."""

MAX_COLUMNS_WITH_CATEGORIES = 1000
"""With categories the models take an input per column; onnxruntime and skl2onnx are not made
for more."""

Task = Literal["classification", "regression"]
AnyTask = Literal["auto", "classification", "regression"]


def type_columns(
    source: pa.Table | pd.DataFrame,
    target: Target,
    task: AnyTask,
    text: Collection[str] = (),
    group: str | None = None,
) -> tuple[pd.DataFrame, Schema]:
    """Give every column its final type, and describe the columns in a schema.

    Rows without a target, or without one of several, are left out. Numbers become float32 already
    here: a model trained in float64 and served in float32 differs from its ONNX form at the split
    thresholds. Everything else becomes str, empty where it is missing: a category, or free text for
    the columns in ``text``. The values of ``group``, which say what rows belong together, become
    numbers from 0. The index of a DataFrame is dropped at once.

    Returns:
        The columns, features first, then what is predicted, then the group, and their schema.

    Raises:
        UserError: naming the column that cannot be used, and why.
    """
    table = as_table(source) if isinstance(source, pd.DataFrame) else source
    table = pa.table([decoded(column) for column in table.columns], names=table.column_names)
    targets = columns_of(target)
    if group is not None:
        check_group(table, group, (*targets, *text))
    if not table.num_rows:
        raise UserError("the table has a header but no rows; expected at least a few dozen")
    features = feature_names(table, targets, text, group)
    rows = labelled_rows(table, targets)
    columns, values = [], {}
    for name in features:
        kept = table[name].take(rows)
        column, values[name] = type_feature(kept, name, rows, is_free=name in text)
        columns.append(column)
    labels, task = type_targets(table, target, task, rows)
    values |= labels
    if group is not None:
        values[group] = group_numbers(table[group].take(rows), group, rows)
    return pd.DataFrame(values), Schema(task, target, tuple(columns), group=group)


def type_targets(
    table: pa.Table, target: Target, task: AnyTask, rows: NDArray[np.intp]
) -> tuple[dict[str, Any], Task]:
    """Give what is predicted its final type, (rows,) by name, and decide the task.

    ``rows`` are the positions of the rows that have a value.

    Raises:
        UserError: naming the column that cannot be predicted, and why.
    """
    targets = columns_of(target)
    labels = {name: table[name].take(rows) for name in targets}
    for name, label in labels.items():
        meaning(label, name, "target")
    if not isinstance(target, str):
        task = several_are_quantities(labels, task)
    task = decide_task(labels[targets[0]]) if task == "auto" else task
    typed = {name: type_target(label, name, task, rows) for name, label in labels.items()}
    return typed, task


def labelled_rows(table: pa.Table, targets: tuple[str, ...]) -> NDArray[np.intp]:
    """Return the positions of the rows that have a value in each of the target's columns.

    Raises:
        UserError: there are none.
    """
    there = [present(table[name]) for name in targets]
    for name, own in zip(targets, there, strict=True):
        if not own.any():
            raise UserError(
                f"target {shown(name)} has no value in any row; name another column (`target`)"
            )
    rows = np.flatnonzero(np.logical_and.reduce(there))
    if not len(rows):
        raise UserError(
            f"no row has a value in each of the targets {listed(targets)}; name fewer (`target`)"
        )
    return rows


def several_are_quantities(labels: dict[str, pa.ChunkedArray], task: AnyTask) -> Task:
    """Return the task of several targets, which is regression.

    Raises:
        UserError: they are classes, by ``task`` or by their values.
    """
    cure = "name one column of classes (`target`)"
    if task == "classification":
        raise UserError(f"several targets, {listed(labels)}, should be quantities; {cure}")
    for name, label in labels.items() if task == "auto" else ():
        if decide_task(label) == "classification":
            numeric = is_number(label.type)
            hint = ", or set `task`: regression if it is a quantity" if numeric else ""
            raise UserError(
                f"target {shown(name)} holds classes, and several targets should be quantities; "
                f"{cure}{hint}"
            )
    return "regression"


def as_table(frame: pd.DataFrame) -> pa.Table:
    """Return the columns of a DataFrame under the text of their names, without its index.

    Raises:
        UserError: two columns have the same name, or a column holds values of several types.
    """
    names = [str(name) for name in frame.columns]
    if twice := next((name for name, count in Counter(names).items() if count > 1), None):
        raise UserError(f"column {shown(twice)} is there more than once; rename or drop one")
    try:
        table = pa.Table.from_pandas(frame.set_axis(names, axis=1), preserve_index=False)
    except (pa.ArrowException, TypeError) as error:
        said = " ".join(map(str, error.args))
        raise UserError(f"{said}; expected one type per column") from error
    return table.replace_schema_metadata(None)


def feature_names(
    table: pa.Table, targets: tuple[str, ...], text: Collection[str], group: str | None = None
) -> list[str]:
    """Return the names of the feature columns.

    Raises:
        UserError: there are no features, no such column of free text, or too many columns where
            some are text.
    """
    features = [name for name in table.column_names if name not in (*targets, group)]
    if not features:
        also = "" if group is None else f" and the group {shown(group)}"
        named = f"the target {listed(targets)}{also}"
        raise UserError(f"the table has no feature column beside {named}")
    if absent := sorted(set(text) - set(features)):
        raise UserError(
            f"`text` {shown(absent[0])} is not a feature column; they are {listed(features, 20)}"
        )
    worded = sum(not is_number(table.schema.field(name).type) for name in features)
    if worded and len(features) > MAX_COLUMNS_WITH_CATEGORIES:
        raise UserError(
            f"the table has {len(features)} feature columns, {worded} of them text; expected at "
            f"most {MAX_COLUMNS_WITH_CATEGORIES}, or numbers only: "
            "drop columns or encode the text as numbers"
        )
    return features


def type_feature(
    values: pa.ChunkedArray, name: str, rows: NDArray[np.intp], *, is_free: bool
) -> tuple[Column, Any]:
    """Give one feature column its final type: float32 (rows,), or a Series of str.

    ``rows`` are the numbers of the rows in the file, from 0.

    Raises:
        UserError: the column is empty, infinite, too large for float32, or of a type that no
            model takes.
    """
    there = present(values)
    what = f"column {shown(name)}"
    if not there.any():
        raise UserError(f"{what} has no value in any row; drop it")
    missing = not there.all()
    if meaning(values, name) == "number" and not is_free:
        return Column(name, "number", missing), as_float32(numbers(values), what, rows)
    words = texts(values)
    refuse_nul(words, what, rows)
    if not is_free:
        refuse_stray_text(words, what, rows)
    return Column(name, "text" if is_free else "category", missing), pd.Series(words, dtype="str")


def as_float32(
    values: NDArray[np.float64], what: str, rows: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Narrow numbers (rows,) to float32.

    Raises:
        UserError: one is infinite, or becomes so.
    """
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32)
    if np.isinf(narrow).any():
        place = int(np.flatnonzero(np.isinf(narrow))[0])
        came = f"{values[place]} in row {rows[place] + 1}"
        raise UserError(f"{what} has {came}; expected finite float32 numbers")
    return narrow


def decide_task(target: pa.ChunkedArray) -> Task:
    """Decide by the target: text, booleans and few distinct whole numbers are classes.

    Whether whole numbers are stored as integers does not matter: one gap makes floats of them.
    """
    if not is_number(target.type) or types.is_boolean(target.type):
        return "classification"
    whole = whole_numbers(target)
    if whole is not None:
        distinct = len(np.unique(whole))
    elif types.is_integer(target.type) or is_whole_decimal(target.type):
        distinct = pc.count_distinct(target).as_py()  # whole, but beyond 64 bits
    else:
        return "regression"
    return "classification" if distinct <= MAX_INTEGER_CLASSES else "regression"


def is_whole_decimal(kind: pa.DataType) -> bool:
    """Return whether values of this type are decimals without digits behind the point."""
    return bool(types.is_decimal(kind) and kind.scale == 0)


def whole_numbers(values: pa.ChunkedArray) -> NDArray[np.int64] | None:
    """Return numbers as int64 (rows,), booleans as 0 and 1; None if one does not fit."""
    if types.is_float16(values.type):  # Arrow cannot cast it to int64 directly
        values = pc.cast(values, pa.float64())
    try:
        array: NDArray[np.int64] = pc.cast(values, pa.int64()).to_numpy()
    except pa.ArrowInvalid:
        return None
    return array


def type_target(target: pa.ChunkedArray, name: str, task: Task, rows: NDArray[np.intp]) -> Any:
    """Give the target its final type (rows,): int64 or str for classes, float64 for regression.

    Every row has a value. ``rows`` are the numbers of the rows in the file, from 0.

    Raises:
        UserError: values are beyond float32, not numbers for a regression, or all the same.
    """
    if task == "regression":
        return quantities(target, name, rows)
    whole = whole_numbers(target) if is_number(target.type) else None
    labels: Any = whole if whole is not None else class_names(target, name, rows)
    if (labels == labels[0]).all():
        only = f"{plain(labels[0])!r}"
        raise UserError(f"target {shown(name)} has one class only, {only}; expected at least two")
    return labels


def quantities(target: pa.ChunkedArray, name: str, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the target of a regression, float64 (rows,).

    Raises:
        UserError: values are not numbers, beyond float32, or all the same.
    """
    if not is_number(target.type):
        class_names(target, name, rows)  # which may know better what is wrong
        raise UserError(f"target {shown(name)} holds text; regression expects numbers (see `task`)")
    values = numbers(target)
    as_float32(values, f"target {shown(name)}", rows)  # the type that ONNX predicts in
    if (values == values[0]).all():
        raise UserError(
            f"target {shown(name)} has one value only, {values[0]}; expected at least two"
        )
    return values


def class_names(target: pa.ChunkedArray, name: str, rows: NDArray[np.intp]) -> Any:
    """Return classes that are not whole numbers, as a Series of str.

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
    """Return a scalar as Python shows it: 7 and not np.int64(7)."""
    return value.item() if isinstance(value, np.generic) else value
