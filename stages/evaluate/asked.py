"""Rows that all three models were asked about, and a row in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from onnxpress.evaluate.raw_columns import RawColumn
from stages.common.models import Answer
from stages.common.table import NUMERIC_INPUT, Feeds, Schema

SHOWN_COLUMNS = 4


@dataclass(frozen=True)
class Asked:
    """``answers`` are those of original, ONNX and quantised model to the rows in ``feeds``."""

    kind: str
    feeds: Feeds
    answers: list[Answer]
    column: Callable[[int], RawColumn | None] = lambda _row: None
    """The column in which a row lies at a threshold, if it does."""

    def __len__(self) -> int:
        return len(self.answers[0].values)

    def describe(self, row: int, schema: Schema) -> str:
        """A row by its number from 0, and the value at a threshold or its first few values."""
        names = [column.name for column in schema.columns]
        at = self.column(row)
        if at is None:
            shown = names[:SHOWN_COLUMNS]
        else:
            shown = [names[at.position] if at.name == NUMERIC_INPUT and schema.all_numeric else at.name]
        values = [f"{name!r} is {self._value(row, name, names, schema)}" for name in shown]
        more = [] if at or len(names) <= SHOWN_COLUMNS else ["..."]
        return f"{self.kind} row {row} ({', '.join([*values, *more])})"

    def _value(self, row: int, name: str, names: list[str], schema: Schema) -> str:
        matrix = schema.all_numeric
        value = self.feeds[NUMERIC_INPUT if matrix else name][row, names.index(name) if matrix else 0]
        return repr(str(value)) if isinstance(value, str) else f"{value:.9g}"
