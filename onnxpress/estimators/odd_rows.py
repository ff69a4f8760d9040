"""Rows with odd values, on which a converted encoder or vectoriser shows whether it is right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from onnxpress.estimators.layout import layout
from onnxpress.estimators.paths import Evidence, as_text, evidence, is_missing
from onnxpress.tables.names import NUMERIC_INPUT, input_name
from onnxpress.tables.rows import Feeds, take
from onnxpress.tables.schema import Column, Schema

MOST_CATEGORIES = 300
BLANKS = 100
UNSEEN = "a category never seen"
TEXTS = (
    "",
    " ",
    "Café naïve Straße ÜBER don't x1 I a 日本 semi-colon; UPPER e-mail U.S. 22 3.5 _under_score_",
    'tab\tand\nnewline, (brackets) [square] "quoted" #hash @at 100% a+b c/d\u00a0e',
)
"""Letters beyond ASCII, upper case, digits, punctuation, words of one letter, unusual spaces."""


def odd_rows(estimator: Any, feeds: Feeds, schema: Schema) -> Iterator[tuple[str, Feeds]]:
    """Yield groups of rows, each with what is odd about them in words.

    They are made from the rows of ``feeds``, of which there is at least one.
    """
    taken = layout(estimator, schema)
    seen = evidence(estimator, len(taken.columns))
    if taken.form == "texts":
        seen = Evidence(texts={0})
    for names in dict.fromkeys(_gappy(taken.columns, seen)):
        if names:
            yield "missing numbers, a column each", _blanks(feeds, schema, names[:MOST_CATEGORIES])
    for place, column in enumerate(taken.columns):
        name = column.name
        if place in seen.texts:
            shouted = [str(value).upper() for value in feeds[input_name(name)][:50, 0]]
            yield f"odd texts in {name!r}", _with(feeds, schema, name, [*TEXTS, *shouted])
        if place not in seen.categories:
            continue
        known, unseen, missing = _categories(column, seen.categories[place])
        if known:
            yield (
                f"its categories of {name!r}",
                _with(feeds, schema, name, known[:MOST_CATEGORIES]),
            )
        yield f"categories of {name!r} that it has not seen", _with(feeds, schema, name, unseen)
        yield f"missing values of {name!r}", _with(feeds, schema, name, [missing])


def _gappy(columns: tuple[Column, ...], seen: Evidence) -> list[tuple[str, ...]]:
    """Return the columns of numbers that an imputer sees, and those with gaps in the table."""
    numbers = [(place, each) for place, each in enumerate(columns) if each.kind == "number"]
    imputed = tuple(column.name for place, column in numbers if place in seen.imputed)
    with_gaps = tuple(column.name for _, column in numbers if column.missing)
    return [imputed, with_gaps]


def _categories(column: Column, categories: list[Any]) -> tuple[list[Any], list[Any], Any]:
    """Return categories that an encoder knows, some that it does not, and a missing value."""
    if column.kind != "number":
        return [as_text(value) for value in categories], [UNSEEN], ""
    known = [
        float(value) for value in categories if not is_missing(value) and not isinstance(value, str)
    ]
    return known, [max([0.0, *known]) + 1, 0.5], np.nan


def _blanks(feeds: Feeds, schema: Schema, names: tuple[str, ...]) -> Feeds:
    """Return at least one row per name, each without its number in the column of that name.

    Three rows for the names "a" and "b" (there are at least 100):

        row   a    b
        0     gap  1.5
        1     2.5  gap
        2     gap  3.5
    """
    rows = np.arange(max(len(names), BLANKS))
    made = take(feeds, rows % len(next(iter(feeds.values()))))
    places = {column.name: place for place, column in enumerate(schema.columns)}
    for number, name in enumerate(names):
        key, place = (NUMERIC_INPUT, places[name]) if schema.all_numeric else (input_name(name), 0)
        made[key] = made[key].copy()
        made[key][number :: len(names), place] = np.nan
    return made


def _with(feeds: Feeds, schema: Schema, name: str, values: list[Any]) -> Feeds:
    """Return rows with these values in a column, one each; other columns as in the first rows."""
    rows = len(next(iter(feeds.values())))
    made = take(feeds, np.resize(np.arange(rows), len(values)))
    if schema.all_numeric:
        place = [column.name for column in schema.columns].index(name)
        matrix = made[NUMERIC_INPUT].copy()
        matrix[:, place] = values
        return {NUMERIC_INPUT: matrix}
    key = input_name(name)
    kind = np.float32 if made[key].dtype.kind == "f" else object
    return {**made, key: np.array(values, kind).reshape(-1, 1)}
