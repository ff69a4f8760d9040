"""From columns as they come to the two kinds that the models take, and to Parquet."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from stages.common.errors import UserError
from stages.common.files import atomic_path
from stages.common.table import Column, Schema

MAX_INTEGER_CLASSES = 20
"""``task: auto`` takes an integer target with more distinct values than this for a quantity."""
MAX_COLUMNS_WITH_CATEGORIES = 1000
"""With categories the models take an input per column: onnxruntime and skl2onnx are not made for more."""


def settle(
    frame: pd.DataFrame, target: str, task: Literal["auto", "classification", "regression"], texts: Collection[str] = ()
) -> tuple[pd.DataFrame, Schema]:
    """Columns in their final types, features first and the target last, and the schema that describes them.

    Rows without a target are left out. Numbers become float32, from the first stage on: a model trained in float64 and
    served in float32 parts ways with its ONNX form at the split thresholds. Everything else becomes a string, empty
    where it is missing: a category, or text for the columns in ``texts``.

    Raises:
        UserError: naming the column that cannot be used, and why.
    """
    if frame.empty:
        raise UserError("params.yaml: data.source has a header but no rows; expected at least a few dozen")
    features = [str(name) for name in frame.columns if name != target]
    if not features:
        raise UserError(f"params.yaml: data.source has no feature column beside the target {target!r}")
    frame = frame.set_axis([str(name) for name in frame.columns], axis=1)
    if frame[target].isna().any():
        frame = frame[frame[target].notna()].reset_index(drop=True)
        frame[target] = frame[target].convert_dtypes()  # integers with gaps came as floats
    if frame.empty:
        raise UserError(
            f"data.source: target {target!r} has no value in any row; name another column in params.yaml (data.target)"
        )
    if absent := sorted(set(texts) - set(features)):
        raise UserError(f"params.yaml: data.text {absent[0]!r} is no feature column; they are {', '.join(features[:20])}")
    refuse_many_categories(frame[features])
    columns, values = [], {}
    for name in features:
        column, values[name] = settle_text(frame[name]) if name in texts else settle_feature(frame[name])
        columns.append(column)
    refuse_containers(frame[target], "target")
    task = decide_task(frame[target]) if task == "auto" else task
    values[target] = settle_target(frame[target], task)
    return pd.DataFrame(values), Schema(task, target, tuple(columns))


def settle_feature(values: pd.Series) -> tuple[Column, pd.Series]:
    """One feature column in its final type.

    Raises:
        UserError: the column is empty, infinite, too large for float32, or of a type that no model takes.
    """
    name = str(values.name)
    missing = bool(values.isna().any())
    if values.isna().all():
        raise UserError(f"data.source: column {name!r} has no value in any row; drop it")
    if pd.api.types.is_numeric_dtype(values):
        numbers = values.to_numpy(np.float64, na_value=np.nan)
        with np.errstate(over="ignore"):
            single = numbers.astype(np.float32)
        if np.isinf(single).any():
            row = int(np.flatnonzero(np.isinf(single))[0])
            raise UserError(f"data.source: column {name!r} has {numbers[row]} in row {row + 1}; expected finite float32 numbers")
        return Column(name, "number", missing), pd.Series(single)
    if pd.api.types.is_datetime64_any_dtype(values) or pd.api.types.is_timedelta64_dtype(values):
        raise UserError(f"data.source: column {name!r} holds dates; turn it into numbers, such as days, or drop it")
    refuse_containers(values, "column")
    refuse_stray_text(values)
    return Column(name, "category", missing), values.astype(object).where(values.notna(), "").map(str)


def settle_text(values: pd.Series) -> tuple[Column, pd.Series]:
    """A column of free text, whatever type its values came in.

    Raises:
        UserError: the column holds containers.
    """
    refuse_containers(values, "column")
    return Column(str(values.name), "text", bool(values.isna().any())), values.astype(object).where(values.notna(), "").map(str)


def refuse_many_categories(features: pd.DataFrame) -> None:
    """With categories among them, the models take an input per column.

    Raises:
        UserError: there are more columns than ``MAX_COLUMNS_WITH_CATEGORIES``.
    """
    texts = sum(not pd.api.types.is_numeric_dtype(kind) for kind in features.dtypes)
    if texts and len(features.columns) > MAX_COLUMNS_WITH_CATEGORIES:
        raise UserError(
            f"data.source has {len(features.columns)} feature columns, {texts} of them text; expected at most "
            f"{MAX_COLUMNS_WITH_CATEGORIES}, or numbers only: drop columns or encode the text as numbers"
        )


def refuse_containers(values: pd.Series, what: str) -> None:
    """Only single values can be categories or targets.

    Raises:
        UserError: a value is a list, an array or a mapping.
    """
    kinds = {type(value).__name__ for value in values if isinstance(value, (list, tuple, dict, set, bytes, np.ndarray))}
    if kinds:
        came = min(kinds).replace("ndarray", "list")
        raise UserError(f"data.source: {what} {str(values.name)!r} holds {came} values; expected one number or text per row")


def refuse_stray_text(values: pd.Series) -> None:
    """A quantity with a few words among its numbers must not pass for a category with hundreds of values.

    Raises:
        UserError: most values are numbers, and more of them differ than classes have.
    """
    texts = values.dropna().astype(str)
    numbers = pd.to_numeric(texts, errors="coerce")
    words = texts[numbers.isna()]
    if len(words) and numbers.notna().sum() > len(words) and numbers.nunique() > MAX_INTEGER_CLASSES:
        raise UserError(
            f"data.source: column {str(values.name)!r} holds numbers in {numbers.notna().sum()} rows and text in {len(words)}, "
            f"first {words.iloc[0]!r} in row {int(words.index[0]) + 1}; correct it or leave it empty"
        )


def decide_task(target: pd.Series) -> Literal["classification", "regression"]:
    """Classification for text, booleans and integers with few distinct values; regression otherwise."""
    if not pd.api.types.is_numeric_dtype(target) or pd.api.types.is_bool_dtype(target):
        return "classification"
    few = target.nunique() <= MAX_INTEGER_CLASSES
    return "classification" if pd.api.types.is_integer_dtype(target) and few else "regression"


def settle_target(target: pd.Series, task: str) -> pd.Series:
    """The target as int64 or str (classification) or float64 (regression).

    Raises:
        UserError: values are infinite, not numbers for a regression, or of one class only.
    """
    name = str(target.name)
    if task == "regression":
        if not pd.api.types.is_numeric_dtype(target):
            raise UserError(f"data.source: target {name!r} holds text; regression expects numbers (params.yaml: data.task)")
        values = target.astype(np.float64)
        if np.isinf(values).any():
            raise UserError(f"data.source: target {name!r} holds infinite values; expected finite numbers")
        return values
    if (target == target.iloc[0]).all():
        raise UserError(f"data.source: target {name!r} has one class only, {plain(target.iloc[0])!r}; expected at least two")
    whole = pd.api.types.is_numeric_dtype(target) and bool((target == target.astype(np.int64)).all())
    return target.astype(np.int64) if whole else target.map(str)


def plain(value: Any) -> Any:
    """A scalar as Python shows it: 7 and not np.int64(7)."""
    return value.item() if isinstance(value, np.generic) else value


def write_parquet(path: Path, frame: pd.DataFrame) -> None:
    """Write rows without pandas' own metadata, so that the same rows always have the same bytes."""
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    with atomic_path(path) as temporary:
        parquet.write_table(table, temporary)
