"""Where rows come from: scikit-learn's bundled datasets, and CSV or Parquet files under data/."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from onnxpress.errors import UserError
from onnxpress.pipeline.copies import absent
from onnxpress.pipeline.files import placed
from onnxpress.tables.csv_file import read_cells
from onnxpress.tables.csv_types import PLAIN, CsvForm, typed
from onnxpress.tables.frames import as_table
from onnxpress.tables.parquet_file import read_columns
from onnxpress.tables.wording import listed, shown

BUNDLED = ("iris", "wine", "breast_cancer", "digits", "diabetes")
DATA = Path("data")


@dataclass(frozen=True)
class Contents:
    """A data file as it comes: typed columns, what may surprise about it as a whole, and the text of a CSV file's cells."""

    table: pa.Table
    lines: tuple[str, ...] = ()
    cells: pa.Table | None = None


@dataclass(frozen=True)
class Source(Contents):
    """The same with the column to predict."""

    target: str = "target"


def read_csv(
    path: Path, form: CsvForm = PLAIN, free_text: Collection[str] = (), target: str | None = None
) -> Contents:
    """A CSV file; ``form`` says how missing values and numbers are written."""
    cells = read_cells(path)
    return Contents(typed(cells, form, free_text, target), cells=cells)


def read_parquet(path: Path, form: CsvForm = PLAIN, *_: Any) -> Contents:
    """A Parquet file, whose columns have types of their own."""
    table, lines = read_columns(path)
    return Contents(table, (*lines, *not_csv(form)))


def not_csv(form: CsvForm) -> tuple[str, ...]:
    """A line about params that only CSV files need."""
    told = "data.missing_values, data.decimal and data.thousands are for CSV files and change nothing here"
    return () if form == PLAIN else (told,)


READERS: dict[str, Callable[..., Contents]] = {".csv": read_csv, ".parquet": read_parquet}


def load_source(
    source: str, target: str | None, form: CsvForm = PLAIN, free_text: Collection[str] = ()
) -> Source:
    """All rows as they come, and the name of the target column.

    Raises:
        UserError: the source is unknown, unreadable, or has no such target column.
    """
    if source in BUNDLED:
        return Source(as_table(load_bundled(source)), not_csv(form))
    path = checked(source)
    came = READERS[path.suffix](path, form, free_text, target)
    columns = listed(came.table.column_names, 20)
    if target is None:
        raise UserError(
            f"params.yaml: data.target should name the column of {source} to predict, got null; its columns: {columns}"
        )
    if target not in came.table.column_names:
        notes = "".join(f" ({line})" for line in came.lines)
        raise UserError(
            f"params.yaml: data.target {shown(target)} is no column of {source}; its columns: {columns}{notes}"
        )
    return Source(came.table, came.lines, came.cells, target)


def checked(source: str) -> Path:
    """The path of a data file.

    Raises:
        UserError: it is of another kind, lies elsewhere than in data/, does not exist, or is no file that can be read.
    """
    if Path(source).suffix not in READERS:
        raise UserError(
            f"params.yaml: data.source should be one of {', '.join(BUNDLED)}, or a .csv or .parquet file in data/, "
            f"got {shown(source)}"
        )
    try:
        return placed(source, DATA, "data.source")
    except FileNotFoundError as error:
        usual = "which does not exist; put the file there or correct the name"
        raise UserError(
            f"params.yaml: data.source names {shown(source)}, {absent(source, usual)}"
        ) from error


def load_bundled(name: str) -> pd.DataFrame:
    """One of scikit-learn's small real datasets, with the column ``target`` last."""
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")()
    names = [
        str(feature).replace(" (cm)", "_cm").replace(" ", "_") for feature in bunch.feature_names
    ]
    frame = pd.DataFrame(bunch.data, columns=names)
    frame["target"] = bunch.target
    return frame
