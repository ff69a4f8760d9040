"""Rows with the predictions of the three models for them, and one such row in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from numpy.typing import NDArray

from onnxpress.engine.engine import HERE, Engine, in_order
from onnxpress.errors import UserError
from onnxpress.evaluate.probes.raw_columns import RawColumn
from onnxpress.models import MODEL_KEYS
from onnxpress.runtime.predictions import Predict, Predictions
from onnxpress.tables.cells import cell
from onnxpress.tables.mapped import PIECE_ROWS, spans
from onnxpress.tables.names import predicted_columns
from onnxpress.tables.rows import Feeds, pieces_of
from onnxpress.tables.schema import Schema

SHOWN_COLUMNS = 4
"""A row is shown by as many of its first columns."""


@dataclass(frozen=True)
class PredictedRows:
    """Some rows, and what the three models predict for them, in the order of ``MODEL_KEYS``."""

    kind: str
    """``test`` or ``probe``."""
    feeds: Feeds
    predictions: list[Predictions]
    column: Callable[[int], RawColumn | None] = lambda _row: None
    """The column in which a row lies at a threshold; None if it lies at none."""

    def __len__(self) -> int:
        return len(self.predictions[0].values)

    def describe(self, row: int, schema: Schema) -> str:
        """Name a row by its number, from 0, and the value at a threshold or its first values.

        Of tensors the number says enough.
        """
        if schema.has_tensors:
            return f"{self.kind} row {row}"
        at, last = self.column(row), min(len(schema.columns), SHOWN_COLUMNS)
        places = range(last) if at is None else [self._place(at, schema)]
        shown = []
        for place in places:
            name = schema.columns[place].name
            shown.append(f"{name!r} is {self._value(row, place, schema)}")
        if at is None and last < len(schema.columns):
            shown.append("...")
        return f"{self.kind} row {row} ({', '.join(shown)})"

    def _place(self, at: RawColumn, schema: Schema) -> int:
        """Return the place of a column in the schema: the inputs have the same order."""
        return at.position if schema.all_numeric else list(self.feeds).index(at.name)

    def _value(self, row: int, place: int, schema: Schema) -> str:
        inputs = list(self.feeds.values())
        value = inputs[0][row, place] if schema.all_numeric else inputs[place][row, 0]
        return repr(str(value)) if isinstance(value, str) else f"{value:.9g}"


def predict_with_all(models: Mapping[str, Predict], feeds: Feeds, what: str) -> list[Predictions]:
    """Return the predictions of all ``models``; ``what`` names the rows.

    Raises:
        UserError: a model refuses the rows, as an encoder does a category that it has not seen. The
            line calls the model by its key in ``models``.
    """
    predictions = []
    for name, predict in models.items():
        try:
            predictions.append(predict(feeds))
        except UserError:
            raise
        except Exception as error:  # each library has its own
            raise UserError(f"{name} refuses {what}: {one_line(error)}") from error
    return predictions


def in_pieces(predict: Predict, engine: Engine = HERE) -> Predict:
    """Return the same prediction, of which a piece of the rows is a call of an engine.

    ``predict`` goes to the engine's workers once, so it has to be one that can be pickled. Rows
    that are a single piece stay here.
    """
    shared = cache(lambda: engine.share(predict))

    def predicted(feeds: Feeds) -> Predictions:
        rows = len(next(iter(feeds.values())))
        where, sent = (engine, shared()) if rows > PIECE_ROWS else (HERE, predict)
        return Predictions.stacked(in_order(where, _piece, pieces_of(feeds), sent), rows)

    return predicted


def _piece(feeds: Feeds, predict: Predict) -> Predictions:
    return predict(feeds)


def one_line(error: Exception) -> str:
    """Return the text of an error without its line breaks."""
    return " ".join(str(error).split())


def predictions_csv(
    target: NDArray[Any], predictions: list[Predictions], schema: Schema
) -> Iterator[bytes]:
    """Yield the target, and what the three models predict, as CSV, a line per row, in pieces.

    There is a column for the target and for each model; of several targets, (rows, targets), one
    for each, by :func:`.predicted_columns`. :func:`onnxpress.tables.cells.cell` writes the cells.
    """
    tables = [target, *(each.values for each in predictions)]
    names = ("target", *MODEL_KEYS)
    yield _csv_lines([[head for name in names for head in predicted_columns(name, schema.targets)]])
    for span in spans(len(target)):
        pieces = [table[span] for table in tables]
        columns = [column for part in pieces for column in part.reshape(len(part), -1).T.tolist()]
        yield _csv_lines(zip(*columns, strict=True))


def _csv_lines(lines: Iterable[Sequence[Any]]) -> bytes:
    return "".join(f"{','.join(map(cell, line))}\n" for line in lines).encode()
