"""The test rows on which the quantised model and the original disagree, the worst first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.models import MODELS
from onnxpress.tables.rows import Rows
from onnxpress.tables.schema import Schema
from onnxpress.text import shortened

Columns = Mapping[str, NDArray[np.str_]]
"""The target and each model's predictions on the test rows as text, each (rows,), or (rows,
targets)."""
Numbers = NDArray[np.float64]
SHOWN_ROWS = 20
SHOWN_COLUMNS = 12


@dataclass(frozen=True)
class Disagreement:
    """The headings and rows of a table, and in words how many rows differ and what is left out."""

    headings: list[str]
    rows: list[list[str]]
    summary: str


@dataclass(frozen=True)
class WorstRows:
    """The rows that differ most, and how many differ."""

    numbers: list[int]
    """The worst first."""
    differing: int
    rows: int
    """All that there are."""


def find_worst(pieces: Callable[[], Iterable[Columns]], schema: Schema) -> WorstRows:
    """Find the rows of predictions.csv that differ most; ``pieces`` gives its rows, again if asked.

    Classification: first the rows where only the original is right, then those where both are
    wrong, last those where only the quantised model is right. Regression: the largest differences;
    of several targets the largest of a row, in standard deviations of its target.
    """
    spread = 1.0 if schema.task == "classification" else _spread(pieces(), schema)
    worst, differing, first = np.zeros((2, 0)), 0, 0
    for columns in pieces():
        if schema.task == "classification":
            badness = _by_class(columns)
        else:
            badness = _by_difference(columns, spread)
        rows = np.flatnonzero(badness)
        differing, found = differing + len(rows), np.stack([-badness[rows], first + rows])
        worst = np.concatenate([worst, found], axis=1)
        # badness 1, 2, 1 of rows 0, 1, 2: rows 1, 0, 2
        worst = worst[:, np.argsort(worst[0], kind="stable")[:SHOWN_ROWS]]
        first += len(badness)
    return WorstRows(worst[1].astype(int).tolist(), differing, first)


def worst_rows(found: WorstRows, columns: Columns, test: Rows, schema: Schema) -> Disagreement:
    """Return the rows that differ most as a table.

    ``columns`` are those of predictions.csv, and ``test`` the features, of these rows.
    """
    show: Callable[[str], str] = shortened if schema.task == "classification" else _number
    names = [
        f"{column.name} (mean)" if column.kind == "tensor" else column.name
        for column in schema.columns
    ][:SHOWN_COLUMNS]
    models = [model.title for model in MODELS.values()]
    headings = ["test row", f"true {schema.target_name}", *models, *names]
    rows = []
    for place, row in enumerate(found.numbers):
        predictions = [
            ", ".join(map(show, np.atleast_1d(column[place]).tolist()))
            for column in columns.values()
        ]
        rows.append([str(row), *predictions, *_features(test, place, schema)])
    return Disagreement(
        [shortened(heading) for heading in headings],
        rows,
        _summary(found.differing, found.rows, len(schema.columns)),
    )


def _by_class(columns: Columns) -> Numbers:
    """Return how bad a difference is, (rows,), 0 without one.

    target  original  quantized   badness
      a        a         b          3   only the original is right
      b        a         c          2   both are wrong
      b        a         b          1   only the quantised model is right
    """
    target, original, quantized = (columns[name] for name in ("target", "original", "quantized"))
    badness = np.select([original == target, quantized != target], [3.0, 2.0], 1.0)
    return np.where(original != quantized, badness, 0.0)


def _by_difference(columns: Columns, spread: Any) -> Numbers:
    """Return the differences of the numbers, (rows,)."""
    gap = np.abs(columns["original"].astype(float) - columns["quantized"].astype(float))
    return gap if gap.ndim == 1 else np.asarray((gap / spread).max(axis=1))


def _spread(pieces: Iterable[Columns], schema: Schema) -> Any:
    """Return the standard deviation of each of several targets, 1 where it is 0; else 1."""
    if not schema.has_several_targets:
        return 1.0
    rows, mean, squares = 0, 0.0, 0.0
    for columns in pieces:
        target = columns["target"].astype(float)
        # Chan, Golub and LeVeque (1979): means and squares of two parts make those of both
        apart, more = target.mean(axis=0) - mean, len(target)
        squares = squares + target.var(axis=0) * more + apart**2 * rows * more / (rows + more)
        mean, rows = mean + apart * more / (rows + more), rows + more
    spread = np.sqrt(squares / rows)
    return np.where(spread, spread, 1.0)


def _features(test: Rows, row: int, schema: Schema) -> list[str]:
    """Return the first columns of a row as text, and of tensors their mean."""
    if schema.has_tensors:
        means = [float(values[row].mean()) for values in test.feeds.values()]
        return [_number(mean) for mean in means[:SHOWN_COLUMNS]]
    values = [value for column in test.feeds.values() for value in column[row, :SHOWN_COLUMNS]]
    return [
        shortened(value) if isinstance(value, str) else _number(value)
        for value in values[:SHOWN_COLUMNS]
    ]


def _number(value: Any) -> str:
    """Return a number with six significant digits."""
    return f"{float(value):.6g}"


def _summary(differing: int, rows: int, columns: int) -> str:
    if not differing:
        return f"On all {rows:,} test rows the quantised model predicts what the original predicts."
    summary = (
        f"On {differing:,} of {rows:,} test rows the quantised model's prediction differs "
        "from the original's"
    )
    shown = []
    if differing > SHOWN_ROWS:
        shown.append(f"the {SHOWN_ROWS} worst rows")
    if columns > SHOWN_COLUMNS:
        shown.append(f"the first {SHOWN_COLUMNS} of {columns:,} columns")
    return f"{summary}; shown: {' and '.join(shown)}." if shown else f"{summary}."
