"""The categories of a given CatBoost model, which its file does not list: those of the table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onnxpress.boosters.catboost_categories import Category, with_categories
from onnxpress.boosters.catboost_cbm import category_columns, unlisted_categories
from onnxpress.errors import UserError
from onnxpress.progress import Say
from onnxpress.tables.names import NUMERIC_INPUT, input_name
from onnxpress.tables.rows import Rows
from onnxpress.tables.schema import Schema


def unlisted_yet(data: bytes) -> bytes:
    """Return a ``.cbm`` file with empty lists of categories, so that it can be read."""
    return with_categories(data, dict.fromkeys(category_columns(data), ()))


def listed(
    path: Path, data: bytes, columns: tuple[str, ...], rows: Rows, schema: Schema, say: Say
) -> bytes:
    """Return a ``.cbm`` file with the categories that the training rows have.

    ``columns`` are the table's, in the order of the model's features. ``say`` takes a warning if
    the model knows categories that the training rows do not have.

    Raises:
        UserError: a column of categories holds numbers that are not whole.
    """
    places = category_columns(data)
    if not places:
        return data
    found = {place: _categories(columns[place], rows, schema, path) for place in places}
    result = with_categories(data, found)
    for name, count in unlisted_categories(result).items():
        what = "combinations" if " x " in name else "categories"
        say(
            f"warning: {path} knows {count} {what} of {name} that the training rows do not have; "
            "it predicts them as new ones"
        )
    return result


def _categories(name: str, rows: Rows, schema: Schema, path: Path) -> list[Category]:
    """Return the distinct values of a column, sorted; missing numbers are none."""
    values = _column(name, rows, schema)
    if values.dtype.kind != "f":
        return sorted({str(value) for value in values})
    values = np.unique(values[~np.isnan(values)])
    uneven = values[values != np.floor(values)]
    if len(uneven):
        raise UserError(
            f"{path} takes categories in {name!r}, which holds {uneven[0]}; "
            "expected texts or whole numbers"
        )
    return [int(value) for value in values]


def _column(name: str, rows: Rows, schema: Schema) -> NDArray[np.generic]:
    if schema.all_numeric:
        names = [column.name for column in schema.columns]
        return rows.feeds[NUMERIC_INPUT][:, names.index(name)]
    return rows.feeds[input_name(name)][:, 0]
