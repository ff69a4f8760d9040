"""Categories that a model does not know, counted in the rows that it predicts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import onnx
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from onnxpress.drift.comparisons import known_texts
from onnxpress.tables.arrow_types import decoded
from onnxpress.tables.csv_types import without_missing
from onnxpress.tables.names import input_name
from onnxpress.tables.pieces import Piece
from onnxpress.tables.schema import Schema
from onnxpress.tables.wording import listed, shown

EXAMPLES = 3
COLUMNS = 5
"""The most that the warning names."""

Known = dict[str, pa.Array]
"""By the name of a column of categories, those that the model looks up."""


@dataclass(frozen=True)
class Unknown:
    """The rows with a category of one column that the model does not know."""

    rows: int
    examples: tuple[str, ...]
    """The first distinct ones, in the order of the rows."""

    def __add__(self, later: Unknown) -> Unknown:
        """Return what is true of these rows and of those that come after them."""
        both = dict.fromkeys((*self.examples, *later.examples))
        return Unknown(self.rows + later.rows, tuple(both)[:EXAMPLES])


def known_categories(model: bytes, schema: Schema) -> Known:
    """Return the known categories of each column that the model looks up, and of no other."""
    names = [column.name for column in schema.columns if column.kind == "category"]
    texts = known_texts(onnx.load_from_string(model)) if names else {}
    inputs = {name: input_name(name) for name in names}
    return {
        name: pa.array(sorted(texts[inputs[name]]), pa.large_string())
        for name in names
        if inputs[name] in texts
    }


def unknown_categories(piece: Piece, known: Known, missing: Collection[str]) -> dict[str, Unknown]:
    """Count the rows of a piece by column; ``missing`` are the words for a missing value."""
    return {
        name: Unknown(len(cells), tuple(pc.unique(cells).slice(0, EXAMPLES).to_pylist()))
        for name, categories in known.items()
        if len(cells := _unknown(piece.table[name], categories, missing))
    }


def _unknown(
    cells: pa.ChunkedArray, categories: pa.Array, missing: Collection[str]
) -> pa.ChunkedArray:
    """Return the cells that are neither missing nor one of the categories."""
    if types.is_null(cells.type):
        return cells.slice(0, 0)
    found = decoded(cells)
    others = found.filter(pc.invert(pc.is_in(found, categories)))
    return without_missing(others, ("", *missing)).drop_null()


def add(total: dict[str, Unknown], later: Mapping[str, Unknown]) -> None:
    """Add what was found in later rows."""
    for name, found in later.items():
        total[name] = total[name] + found if name in total else found


def unknown_line(total: Mapping[str, Unknown]) -> str:
    """Return the warning."""
    clauses = [
        f"{shown(name)} in {_rows(found.rows)} ({listed(found.examples)})"
        for name, found in sorted(total.items(), key=lambda each: -each[1].rows)
    ]
    more = f" and {len(clauses) - COLUMNS} more columns" if len(clauses) > COLUMNS else ""
    named = ", ".join(clauses[:COLUMNS]) + more
    return f"categories that the model does not know, all alike to it: {named}"


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"
