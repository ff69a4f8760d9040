"""Rows that all three models were asked about, and a row in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from onnxpress.evaluate.probes.raw_columns import RawColumn
from onnxpress.runtime.predictions import Predictions
from onnxpress.tables.rows import Feeds
from onnxpress.tables.schema import Schema

SHOWN_COLUMNS = 4


@dataclass(frozen=True)
class PredictedRows:
    """``predictions`` are those of original, ONNX and quantised model to the rows in ``feeds``."""

    kind: str
    feeds: Feeds
    predictions: list[Predictions]
    column: Callable[[int], RawColumn | None] = lambda _row: None
    """The column in which a row lies at a threshold, if it does."""

    def __len__(self) -> int:
        return len(self.predictions[0].values)

    def describe(self, row: int, schema: Schema) -> str:
        """A row by its number from 0, and the value at a threshold or its first few values."""
        at, last = self.column(row), min(len(schema.columns), SHOWN_COLUMNS)
        places = range(last) if at is None else [self._place(at, schema)]
        values = [
            f"{schema.columns[place].name!r} is {self._value(row, place, schema)}"
            for place in places
        ]
        more = ["..."] if at is None and last < len(schema.columns) else []
        return f"{self.kind} row {row} ({', '.join([*values, *more])})"

    def _place(self, at: RawColumn, schema: Schema) -> int:
        """The place of a column in the schema: inputs stand in the same order."""
        return at.position if schema.all_numeric else list(self.feeds).index(at.name)

    def _value(self, row: int, place: int, schema: Schema) -> str:
        inputs = list(self.feeds.values())
        value = inputs[0][row, place] if schema.all_numeric else inputs[place][row, 0]
        return repr(str(value)) if isinstance(value, str) else f"{value:.9g}"
