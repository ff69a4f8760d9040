"""The rows that a command is given as a CSV or Parquet file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from onnxpress.commands.option_names import with_options
from onnxpress.errors import UserError
from onnxpress.pipeline.console import say
from onnxpress.tables.column_types import AnyTask, type_columns
from onnxpress.tables.csv_file import read_cells
from onnxpress.tables.csv_types import PLAIN, CsvForm, typed
from onnxpress.tables.groups import check_group
from onnxpress.tables.parquet_file import read_columns
from onnxpress.tables.rows import Rows, as_rows
from onnxpress.tables.schema import Schema, Target
from onnxpress.tables.sources import SUFFIXES, load_source
from onnxpress.tables.split import deviation
from onnxpress.tables.table_warnings import source_warnings


@dataclass(frozen=True)
class TableFile:
    """A file of rows, and how it is written."""

    path: Path
    form: CsvForm = PLAIN
    """How a CSV file writes missing values and numbers."""

    text: tuple[str, ...] = ()
    """Columns of free text."""
    group: str | None = None
    """The column that says which rows belong together; it is no feature."""


@dataclass(frozen=True)
class Table:
    """Rows typed as the prepare stage types them."""

    frame: pd.DataFrame
    """The features and the target."""

    schema: Schema

    @property
    def features(self) -> pd.DataFrame:
        """The features."""
        group = [] if self.schema.group is None else [self.schema.group]
        return self.frame.drop(columns=[*self.schema.targets, *group])

    @property
    def groups(self) -> NDArray[np.int64] | None:
        """The number of each row's group, (rows,); None if the rows are in no groups."""
        return None if self.schema.group is None else self.frame[self.schema.group].to_numpy()

    @property
    def target(self) -> pd.Series | pd.DataFrame:
        """The target, or several."""
        several = self.schema.has_several_targets
        return self.frame[list(self.schema.targets) if several else self.schema.target_name]

    def rows(self) -> Rows:
        """Return the rows as the library takes them."""
        target = self.target.to_numpy()
        target = target.astype(str) if target.dtype == object else target
        columns = {
            column.name: self.frame[column.name].to_numpy() for column in self.schema.columns
        }
        return as_rows(columns, target, self.schema, self.groups)


def read_table(file: TableFile, target: Target, task: AnyTask) -> Table:
    """Read the features and the target of a file; rows without a target are left out.

    Says what may surprise about them, each as a warning.

    Raises:
        UserError: the file cannot be read, or a column cannot be used.
    """
    source = load_source(file.path, target, file.form, file.text)
    frame, schema = type_columns(source.table, target, task, file.text, file.group)
    for line in source_warnings(source, frame, schema, decided=task != "auto"):
        say(f"warning: {with_options(line)}")
    if left_out := source.table.num_rows - len(frame):
        say(f"{left_out} rows without a target are left out")
    if schema.task == "regression":
        schema = replace(schema, target_std=deviation(frame, target))
    return Table(frame, schema)


def read_features(file: TableFile) -> pa.Table:
    """Read the columns of a file that has no target, without that of the groups.

    Raises:
        UserError: the file cannot be read, or has no such column of groups.
    """
    if file.path.suffix == ".csv":
        table = typed(read_cells(file.path), file.form, file.text)
    else:
        table, lines = read_columns(file.path)
        for line in lines:
            say(f"warning: {with_options(line)}")
    if file.group is None:
        return table
    check_group(table, file.group, file.text)
    return table.drop_columns([file.group])


def refuse_other_files(file: TableFile) -> None:
    """See that there is a CSV or Parquet file, before a model is loaded for nothing.

    Raises:
        UserError: there is none.
    """
    if file.path.suffix not in SUFFIXES:
        raise UserError(f"--data should be a {' or '.join(SUFFIXES)} file, got {str(file.path)!r}")
    if not file.path.is_file():
        raise UserError(f"--data names {str(file.path)!r}, which is not a file; correct the path")
