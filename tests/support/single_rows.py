"""Tables of single test rows, made from predictions that come in pieces of two rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from onnxpress.pipeline.inputs import chosen_predictions
from onnxpress.report.deciding import DecidingTable, deciding_numbers, deciding_table
from onnxpress.report.disagreement import Disagreement, find_worst, worst_rows
from onnxpress.tables.rows import Rows
from onnxpress.tables.schema import Schema


def worst(columns: Mapping[str, Any], test: Rows, schema: Schema) -> Disagreement:
    """The rows that differ most."""
    found = find_worst(lambda: pieces(columns), schema)
    chosen = chosen_predictions(pieces(columns), found.numbers)
    return worst_rows(found, chosen, test.take(np.array(found.numbers, np.intp)), schema)


def deciding(detail: Mapping[str, Any], columns: Mapping[str, Any], target: str) -> DecidingTable:
    """The rows that move the score most."""
    chosen = chosen_predictions(pieces(columns), deciding_numbers(detail))
    return deciding_table(detail, chosen, len(columns["target"]), target)


def pieces(columns: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of predictions.csv."""
    for first in range(0, len(columns["target"]), 2):
        yield {name: values[first : first + 2] for name, values in columns.items()}
