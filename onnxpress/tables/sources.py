"""Where rows come from: scikit-learn's bundled data sets, and files of tables or arrays."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from onnxpress.errors import UserError
from onnxpress.tables.array_files import NPY, NPZ, read_arrays, read_inputs
from onnxpress.tables.column_types import (
    AnyTask,
    as_float32,
    as_table,
    labelled_rows,
    type_columns,
    type_targets,
)
from onnxpress.tables.csv_file import read_cells
from onnxpress.tables.csv_types import PLAIN, CsvForm, typed
from onnxpress.tables.groups import check_group, group_numbers
from onnxpress.tables.names import NUMERIC_INPUT
from onnxpress.tables.parquet_file import read_columns
from onnxpress.tables.places import Places, check_time, time_places
from onnxpress.tables.schema import Schema, Target, columns_of
from onnxpress.tables.tensors import Array, Arrays, is_table, tensor_columns
from onnxpress.tables.wording import listed, shown

BUNDLED = ("iris", "wine", "breast_cancer", "digits", "diabetes")

ARRAYS = (NPZ, NPY)

SUFFIXES = (".csv", ".parquet", *ARRAYS)

INSTEAD = f"one of {', '.join(BUNDLED)}, a folder of Parquet files, or "
"""What may be named beside a file, for a line about a wrong name."""


@dataclass(frozen=True)
class Source:
    """A table as it comes: columns of Arrow's types, and the name of the one to predict."""

    table: pa.Table
    target: Target = "target"
    lines: tuple[str, ...] = ()
    """What may surprise about the file as a whole."""
    cells: pa.Table | None = None
    """The text of the cells, if it is a CSV file."""
    tensors: Arrays = field(default_factory=dict)
    """The inputs by name, each (rows, ...), if they are no columns of the table, which then holds
    what is predicted alone."""


def load_source(
    source: str | Path,
    target: Target | None,
    form: CsvForm = PLAIN,
    text: Collection[str] = (),
    group: str | None = None,
) -> Source:
    """Read a bundled data set by its name, or a file of a table or of arrays by its path.

    Args:
        source: one of :data:`BUNDLED`, or a path that ends with one of :data:`SUFFIXES`.
        target: what to predict, one column or several; of a bundled data set it is always
            ``target``.
        form: how a CSV file writes missing values and numbers.
        text: columns of a CSV file that stay text, whatever their cells look like.
        group: of a file of arrays, the one that says which rows belong together.

    Raises:
        UserError: the source is unknown or unreadable, or has no such target column.
    """
    if source in BUNDLED:
        return Source(as_table(load_bundled(str(source))), lines=csv_only(form))
    path = Path(source)
    if path.suffix in ARRAYS:
        return _of_arrays(path, target, form, text, group)
    cells: pa.Table | None = None
    lines: tuple[str, ...] = ()
    if path.suffix == ".csv":
        cells = read_cells(path)
        table = typed(cells, form, text, () if target is None else columns_of(target))
    elif path.suffix == ".parquet":
        table, found = read_columns(path)
        lines = (*found, *csv_only(form))
    else:
        raise UserError(
            f"`source` should be one of {', '.join(BUNDLED)}, or a .csv, .parquet, .npz or .npy "
            "file, "
            f"got {shown(str(source))}"
        )
    return Source(table, known_target(path, table, target, lines), lines, cells)


def _of_arrays(
    path: Path, target: Target | None, form: CsvForm, text: Collection[str], group: str | None
) -> Source:
    """Read a file of arrays: those that are not predicted, and not the group, are the inputs.

    A lone input ``X`` (rows, columns) is a table of numbers, x0, x1 and so on.

    Raises:
        UserError: as :func:`.read_arrays`, or what is predicted is not a finite value per row.
    """
    if text:
        raise UserError(f"`text` names columns of a table, and {path} holds arrays; remove it")
    arrays, target = read_arrays(path, target)
    if group is not None and group not in arrays:
        came = listed(arrays, 20)
        raise UserError(f"`group` {shown(group)} is not an array of {path}; its arrays: {came}")
    named = {} if group is None else {group: "group"}
    named |= dict.fromkeys(columns_of(target), "target")
    predicted = {name: _labels(arrays.pop(name), name, what) for name, what in named.items()}
    rows = {name: len(values) for name, values in predicted.items()}
    if len(set(rows.values())) > 1:
        raise UserError(f"target and group of {path} should have as many rows each, got {rows}")
    table = as_table(pd.DataFrame(predicted))
    if not arrays:
        raise UserError(f"{path} has no array beside the target {listed(columns_of(target))}")
    if not is_table(arrays):
        return Source(table, target, csv_only(form), tensors=arrays)
    columns = columns_of_matrix(arrays[NUMERIC_INPUT])
    if len(columns) != table.num_rows:
        raise UserError(f"array 'X' has {len(columns)} rows, and the target has {table.num_rows}")
    if taken := set(columns.column_names) & set(predicted):
        raise UserError(f"`target` {shown(min(taken))} is called like a column of 'X'; rename it")
    names = [*columns.column_names, *table.column_names]
    both = pa.table([*columns.columns, *table.columns], names=names)
    return Source(both, target, csv_only(form))


def matrix_of(path: Path) -> Array:
    """Return the lone array ``X`` (rows, columns) of a file.

    Raises:
        UserError: it has another one, or several.
    """
    arrays = read_inputs(path)
    if not is_table(arrays):
        came = listed(f"{name} {values.shape}" for name, values in arrays.items())
        raise UserError(f"{path} should hold one array X (rows, columns), got {came}")
    return arrays[NUMERIC_INPUT]


def columns_of_matrix(matrix: Array) -> pa.Table:
    """Return the columns of an array (rows, columns) as a table of x0, x1 and so on.

    Raises:
        UserError: it does not hold numbers.
    """
    if matrix.dtype.kind not in "buif":
        raise UserError(f"array 'X' should be numbers, got the type {matrix.dtype}")
    native = matrix.dtype.newbyteorder("=")
    columns = [pa.array(np.ascontiguousarray(column, native)) for column in matrix.T]
    return pa.table(columns, names=[f"x{place}" for place in range(matrix.shape[1])])


def _labels(values: Array, name: str, what: str) -> Array:
    """Return what is predicted, or the groups, (rows,); ``what`` errors call it.

    Raises:
        UserError: a row has more than one value, or one that is not finite.
    """
    flat = values[:, 0] if values.shape[1:] == (1,) else values
    if flat.ndim != 1:
        raise UserError(
            f"{what} {shown(name)} should have one value per row, got the shape {values.shape}; "
            "save each quantity as an array of its own, and the number of a class instead of 0 and "
            "1 for each"
        )
    if flat.dtype.kind == "f":
        gaps = np.flatnonzero(np.isnan(flat))
        if len(gaps):
            raise UserError(
                f"{what} {shown(name)} has nan in row {gaps[0] + 1}; leave such rows out"
            )
        as_float32(flat.astype(np.float64), f"{what} {shown(name)}", np.arange(len(flat)))
    return np.array(flat, flat.dtype.newbyteorder("="))


def typed_rows(
    source: Source, task: AnyTask, text: Collection[str] = (), group: str | None = None
) -> tuple[pd.DataFrame, Schema]:
    """Return the typed columns of a source and their schema; see :func:`type_columns`.

    Where the inputs are tensors, the frame holds what is predicted and the group alone, and its
    index says which rows of the tensors these are.

    Raises:
        UserError: naming the column or array that cannot be used, and why.
    """
    if not source.tensors:
        return type_columns(source.table, source.target, task, text, group)
    columns = tensor_columns(source.tensors, source.table.num_rows)
    rows = labelled_rows(source.table, columns_of(source.target))
    values, decided = type_targets(source.table, source.target, task, rows)
    if group is not None:
        check_group(source.table, group, columns_of(source.target))
        values[group] = group_numbers(source.table[group], group, rows)
    schema = Schema(decided, source.target, columns, group=group)
    return pd.DataFrame(values, index=rows), schema


def with_times(
    source: Source, column: str | None, text: Collection[str] = (), group: str | None = None
) -> tuple[Source, Places | None]:
    """Return a source without its column of times, and the places in time of its labelled rows.

    Raises:
        UserError: there is no such column, or a row has no time.
    """
    if column is None:
        return source, None
    targets = columns_of(source.target)
    check_time(source.table, column, (*targets, *text), group)
    rows = labelled_rows(source.table, targets)
    places = time_places(source.table[column].take(rows), f"column {shown(column)}", rows)
    return replace(source, table=source.table.drop_columns(column)), places


def known_target(
    path: Path, table: pa.Table, target: Target | None, lines: tuple[str, ...]
) -> Target:
    """Return the target, if each column of it is one of the table.

    Raises:
        UserError: it is not, or no target is named; the line lists the columns.
    """
    columns = listed(table.column_names, 20)
    if target is None:
        raise UserError(
            f"`target` should name the column of {path} to predict, got null; "
            f"its columns: {columns}"
        )
    absent = [name for name in columns_of(target) if name not in table.column_names]
    if absent:
        notes = "".join(f" ({line})" for line in lines)
        raise UserError(
            f"`target` {shown(absent[0])} is not a column of {path}; its columns: {columns}{notes}"
        )
    return target


def csv_only(form: CsvForm) -> tuple[str, ...]:
    """Return a line about settings that only CSV files need, if there are any."""
    if form == PLAIN:
        return ()
    settings = "`missing_values`, `decimal` and `thousands`"
    return (f"{settings} are for CSV files and change nothing here",)


def load_bundled(name: str) -> pd.DataFrame:
    """Return one of scikit-learn's small real data sets, with the column ``target`` last."""
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")()
    features = [str(feature).replace(" (cm)", "_cm") for feature in bunch.feature_names]
    names = [feature.replace(" ", "_") for feature in features]
    frame = pd.DataFrame(bunch.data, columns=names)
    frame["target"] = bunch.target
    return frame
