"""The rows that a command is given as a CSV or Parquet file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa

from onnxpress.errors import UserError
from onnxpress.pipeline.console import say
from onnxpress.tables.column_types import AnyTask, as_table, type_columns
from onnxpress.tables.csv_file import read_cells
from onnxpress.tables.csv_types import PLAIN, CsvForm, typed
from onnxpress.tables.parquet_file import read_columns
from onnxpress.tables.sources import SUFFIXES, load_source
from onnxpress.tables.table_warnings import source_warnings


@dataclass(frozen=True)
class TableFile:
    """A file of rows, and how it is written."""

    path: Path
    form: CsvForm = PLAIN
    """How a CSV file writes missing values and numbers."""

    text: tuple[str, ...] = ()
    """Columns of free text."""


def read_features_and_target(
    file: TableFile, target: str, task: AnyTask
) -> tuple[pd.DataFrame, pd.Series]:
    """Return the features and the target of a file, typed as the prepare stage types them.

    Says what may surprise about them, each as a warning. Rows without a target are left out.

    Raises:
        UserError: the file cannot be read, or a column cannot be used.
    """
    source = load_source(file.path, target, file.form, file.text)
    frame, schema = type_columns(source.table, target, task, file.text)
    for line in source_warnings(source, frame, schema, decided=task != "auto"):
        say(f"warning: {line}")
    if left_out := source.table.num_rows - len(frame):
        say(f"{left_out} rows without a target are left out")
    return frame.drop(columns=target), frame[target]


def read_features(file: TableFile) -> pa.Table:
    """Return the columns of a file without a target.

    Raises:
        UserError: the file cannot be read.
    """
    if file.path.suffix == ".csv":
        return typed(read_cells(file.path), file.form, file.text)
    table, lines = read_columns(file.path)
    for line in lines:
        say(f"warning: {line}")
    return as_table(table) if isinstance(table, pd.DataFrame) else table


def refuse_other_files(file: TableFile) -> None:
    """See that there is a CSV or Parquet file, before a model is loaded for nothing.

    Raises:
        UserError: there is none.
    """
    if file.path.suffix not in SUFFIXES:
        raise UserError(f"--data should be a {' or '.join(SUFFIXES)} file, got {str(file.path)!r}")
    if not file.path.is_file():
        raise UserError(f"--data names {str(file.path)!r}, which is no file; correct the path")


@contextmanager
def options_named() -> Iterator[None]:
    """Call the arguments ``X`` and ``y`` of the API, in errors of the block, as options."""
    try:
        yield
    except UserError as error:
        text = ARGUMENT.sub(lambda found: OPTIONS[found[0]], str(error))
        raise type(error)(text) from error


OPTIONS = {"X": "--data", "y": "--target"}
ARGUMENT = re.compile(r"(?<![\w./'-])[Xy](?![\w./'-])")
