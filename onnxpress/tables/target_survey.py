"""What the whole target of a table says, of which one piece is read at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from onnxpress.errors import UserError
from onnxpress.tables.arrow_types import decoded, is_number, meaning, numbers, present, texts
from onnxpress.tables.column_types import (
    AnyTask,
    Task,
    as_float32,
    decide_task,
    plain,
    several_are_quantities,
    whole_numbers,
)
from onnxpress.tables.pieces import Piece
from onnxpress.tables.schema import Target, columns_of
from onnxpress.tables.wording import listed, shown

MOST_CLASSES = 10_000


@dataclass(frozen=True)
class TargetSurvey:
    """The task of a target, and its classes."""

    target: Target
    task: Task
    rows: int
    """With a value of each target."""
    unlabelled: int
    """Rows that are left out."""
    as_whole: bool
    """Whether classes are whole numbers, and not text."""
    classes: pd.Index
    """Sorted, (classes,); of a regression, one that stands for all numbers."""
    counts: NDArray[np.int64]
    """Rows of each class, (classes,)."""

    def typed(self, piece: Piece, rows: NDArray[np.intp]) -> dict[str, Any]:
        """Return the targets of some rows of a piece, (rows,) by name, in their final type.

        Raises:
            UserError: a number is beyond float32.
        """
        values = {name: decoded(piece.table[name]).take(rows) for name in columns_of(self.target)}
        if self.task == "classification":
            return {name: _labels(label, self.as_whole) for name, label in values.items()}
        found = {name: numbers(label) for name, label in values.items()}
        for name, own in found.items():
            as_float32(own, f"{piece.path}: target {shown(name)}", piece.first + rows)
        return found

    def codes(self, typed: dict[str, Any]) -> NDArray[np.intp]:
        """Return the place of each row's class in ``classes``, (rows,)."""
        (label, *_) = typed.values()
        if self.task == "regression":
            return np.zeros(len(label), np.intp)
        return self.classes.get_indexer(pd.Index(label))


def survey_target(pieces: Iterable[Piece], target: Target, task: AnyTask) -> TargetSurvey:
    """Decide the task by all values of the target, and count its classes.

    Raises:
        UserError: no row has a value, or the target cannot be predicted.
    """
    names = columns_of(target)
    counts = {name: Counter[Any]() for name in names}
    kinds: dict[str, pa.DataType] = {}
    every, rows = 0, 0
    for piece in pieces:
        labelled = piece.table.take(labelled_rows_of(piece.table, names))
        every, rows = every + piece.table.num_rows, rows + labelled.num_rows
        for name in names:
            values = decoded(labelled[name])
            kinds[name] = values.type
            if len(counts[name]) <= MOST_CLASSES:
                found = pc.value_counts(values).to_pylist()
                counts[name].update({each["values"]: each["counts"] for each in found})
    if not rows:
        raise UserError(f"no row has a value of the target {listed(names)} (`target`)")
    distinct = {
        name: pa.chunked_array([pa.array(list(own), kinds[name])]) for name, own in counts.items()
    }
    for name, values in distinct.items():
        meaning(values, name, "target")
        if len(values) == 1:
            only = shown(str(plain(values[0].as_py())))
            raise UserError(
                f"target {shown(name)} has one value only, {only}; expected two or more"
            )
    if not isinstance(target, str):
        task = several_are_quantities(distinct, task)
    (first, *_) = names
    task = decide_task(distinct[first]) if task == "auto" else task
    left = every - rows
    if task == "regression":
        _refuse_text(distinct)
        return TargetSurvey(target, task, rows, left, False, pd.Index([0]), np.array([rows]))
    if len(distinct[first]) > MOST_CLASSES:
        raise UserError(
            f"target {shown(first)} has more than {MOST_CLASSES} classes; expected fewer, or a "
            "quantity (`task`: regression)"
        )
    values = distinct[first]
    as_whole = is_number(values.type) and whole_numbers(values) is not None
    per_label = pd.Series(list(counts[first].values()), _labels(values, as_whole))
    per_label = per_label.groupby(level=0).sum()
    return TargetSurvey(
        target, task, rows, left, as_whole, per_label.index, np.asarray(per_label, np.int64)
    )


def labelled_rows_of(table: pa.Table, names: tuple[str, ...]) -> NDArray[np.intp]:
    """Return the positions of the rows that have a value of each target, which may be none."""
    return np.flatnonzero(np.logical_and.reduce([present(decoded(table[name])) for name in names]))


def _labels(values: pa.ChunkedArray, as_whole: bool) -> Any:
    """Return classes, (rows,), as int64 or a Series of str."""
    whole = whole_numbers(values) if as_whole else None
    return pd.Series(texts(values), dtype="str") if whole is None else whole


def _refuse_text(distinct: dict[str, pa.ChunkedArray]) -> None:
    for name, values in distinct.items():
        if not is_number(values.type):
            raise UserError(
                f"target {shown(name)} holds text; regression expects numbers (see `task`)"
            )
