"""The test rows on which the quantised model answers otherwise than the original, the worst first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.tables.rows import Rows
from onnxpress.tables.schema import Schema
from onnxpress.text import shortened

Columns = Mapping[str, NDArray[np.str_]]
SHOWN_ROWS = 20
SHOWN_COLUMNS = 12


@dataclass(frozen=True)
class Disagreement:
    """The headings and rows of a table, how many test rows it is about in words, and what was left out."""

    headings: list[str]
    rows: list[list[str]]
    told: str


def worst_rows(columns: Columns, test: Rows, schema: Schema) -> Disagreement:
    """The rows that differ most; ``columns`` are those of predictions.csv, which has a line per row of ``test``.

    Classification: first those where the original is right and the quantised model is not, then where both are wrong,
    then where quantisation has put it right. Regression: the largest differences.
    """
    order = _by_class(columns) if schema.task == "classification" else _by_difference(columns)
    names = [column.name for column in schema.columns][:SHOWN_COLUMNS]
    shown = shortened if schema.task == "classification" else _number
    headings = ["test row", f"true {schema.target}", "original", "ONNX", "ONNX, quantised", *names]
    rows = [
        [str(row), *(shown(column[row]) for column in columns.values()), *_features(test, row)]
        for row in order[:SHOWN_ROWS]
    ]
    return Disagreement(
        [shortened(heading) for heading in headings],
        rows,
        _told(len(order), len(test), len(schema.columns)),
    )


def _by_class(columns: Columns) -> list[int]:
    target, original, quantized = (columns[name] for name in ("target", "original", "quantized"))
    rank = np.select([original == target, quantized != target], [0, 1], 2)
    differing = np.flatnonzero(original != quantized)
    return [int(row) for row in differing[np.argsort(rank[differing], kind="stable")]]


def _by_difference(columns: Columns) -> list[int]:
    gap = np.abs(columns["original"].astype(float) - columns["quantized"].astype(float))
    return [int(row) for row in np.argsort(-gap, kind="stable")[: np.count_nonzero(gap)]]


def _features(test: Rows, row: int) -> list[str]:
    values = [value for column in test.feeds.values() for value in column[row, :SHOWN_COLUMNS]]
    return [
        shortened(value) if isinstance(value, str) else _number(value)
        for value in values[:SHOWN_COLUMNS]
    ]


def _number(value: Any) -> str:
    """A number with six digits that count."""
    return f"{float(value):.6g}"


def _told(differing: int, rows: int, columns: int) -> str:
    if not differing:
        return f"On all {rows:,} test rows the quantised model gives the answer of the original."
    told = f"{differing:,} of {rows:,} test rows get another answer from the quantised model than from the original"
    left = [f"the {SHOWN_ROWS} worst rows"] if differing > SHOWN_ROWS else []
    left += [f"the first {SHOWN_COLUMNS} of {columns:,} columns"] if columns > SHOWN_COLUMNS else []
    return f"{told}; shown: {' and '.join(left)}." if left else f"{told}."
