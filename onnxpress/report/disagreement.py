"""The test rows on which the quantised model and the original disagree, the worst first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
SHOWN_ROWS = 20
SHOWN_COLUMNS = 12


@dataclass(frozen=True)
class Disagreement:
    """The headings and rows of a table, and in words how many rows differ and what is left out."""

    headings: list[str]
    rows: list[list[str]]
    summary: str


def worst_rows(columns: Columns, test: Rows, schema: Schema) -> Disagreement:
    """Return the rows that differ most.

    ``columns`` are those of predictions.csv, with a value for each row of ``test``.
    Classification: first the rows where only the original is right, then those where both are
    wrong, last those where only the quantised model is right. Regression: the largest differences;
    of several targets the largest of a row, in standard deviations of its target.
    """
    show: Callable[[str], str]
    if schema.task == "classification":
        order, show = _by_class(columns), shortened
    else:
        order, show = _by_difference(columns), _number
    names = [
        f"{column.name} (mean)" if column.kind == "tensor" else column.name
        for column in schema.columns
    ][:SHOWN_COLUMNS]
    models = [model.title for model in MODELS.values()]
    headings = ["test row", f"true {schema.target_name}", *models, *names]
    rows = []
    for row in order[:SHOWN_ROWS]:
        predictions = [
            ", ".join(map(show, np.atleast_1d(column[row]).tolist())) for column in columns.values()
        ]
        rows.append([str(row), *predictions, *_features(test, row, schema)])
    return Disagreement(
        [shortened(heading) for heading in headings],
        rows,
        _summary(len(order), len(test), len(schema.columns)),
    )


def _by_class(columns: Columns) -> list[int]:
    """Return the rows where the classes differ, the worst first.

    target  original  quantized   rank
      a        a         b          0   only the original is right
      b        a         c          1   both are wrong
      b        a         b          2   only the quantised model is right
    """
    target, original, quantized = (columns[name] for name in ("target", "original", "quantized"))
    rank = np.select([original == target, quantized != target], [0, 1], 2)
    differing = np.flatnonzero(original != quantized)
    return [int(row) for row in differing[np.argsort(rank[differing], kind="stable")]]


def _by_difference(columns: Columns) -> list[int]:
    """Return the rows where the numbers differ, the largest difference first."""
    gap = np.abs(columns["original"].astype(float) - columns["quantized"].astype(float))
    if gap.ndim == 2:
        spread = columns["target"].astype(float).std(axis=0)
        gap = (gap / np.where(spread, spread, 1.0)).max(axis=1)
    return [int(row) for row in np.argsort(-gap, kind="stable")[: np.count_nonzero(gap)]]


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
