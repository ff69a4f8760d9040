"""Where rows come from: scikit-learn's bundled data sets, and CSV or Parquet files."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa

from onnxpress.errors import UserError
from onnxpress.tables.column_types import as_table
from onnxpress.tables.csv_file import read_cells
from onnxpress.tables.csv_types import PLAIN, CsvForm, typed
from onnxpress.tables.parquet_file import read_columns
from onnxpress.tables.schema import Target, columns_of
from onnxpress.tables.wording import listed, shown

BUNDLED = ("iris", "wine", "breast_cancer", "digits", "diabetes")

SUFFIXES = (".csv", ".parquet")


@dataclass(frozen=True)
class Source:
    """A table as it comes: columns of Arrow's types, and the name of the one to predict."""

    table: pa.Table
    target: Target = "target"
    lines: tuple[str, ...] = ()
    """What may surprise about the file as a whole."""
    cells: pa.Table | None = None
    """The text of the cells, if it is a CSV file."""


def load_source(
    source: str | Path, target: Target | None, form: CsvForm = PLAIN, text: Collection[str] = ()
) -> Source:
    """Read a bundled data set by its name, or a CSV or Parquet file by its path.

    Args:
        source: one of :data:`BUNDLED`, or a path that ends with one of :data:`SUFFIXES`.
        target: what to predict, one column or several; of a bundled data set it is always
            ``target``.
        form: how a CSV file writes missing values and numbers.
        text: columns of a CSV file that stay text, whatever their cells look like.

    Raises:
        UserError: the source is unknown or unreadable, or has no such target column.
    """
    if source in BUNDLED:
        return Source(as_table(load_bundled(str(source))), lines=csv_only(form))
    path = Path(source)
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
            f"`source` should be one of {', '.join(BUNDLED)}, or a .csv or .parquet file, "
            f"got {shown(str(source))}"
        )
    return Source(table, _known_target(path, table, target, lines), lines, cells)


def _known_target(
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
