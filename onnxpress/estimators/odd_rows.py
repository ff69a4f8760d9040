"""Rows that calibration rows seldom hold, on which a converted encoder or vectoriser shows whether it is right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from onnxpress.estimators.layout import layout
from onnxpress.estimators.paths import Evidence, as_text, evidence, is_missing
from onnxpress.tables.names import NUMERIC_INPUT, input_name
from onnxpress.tables.rows import Feeds, take
from onnxpress.tables.schema import Schema

MOST_CATEGORIES = 300
BLANKS = 100
UNSEEN = "a category never seen"
TEXTS = (
    "",
    " ",
    "Café naïve Straße ÜBER don't x1 I a 日本 semi-colon; UPPER e-mail U.S. 22 3.5 _under_score_",
    'tab\tand\nnewline, (brackets) [square] "quoted" #hash @at 100% a+b c/d\u00a0e',
)
"""Other letters than ASCII, upper case, digits, punctuation, words of one letter, other spaces."""


def odd_rows(estimator: Any, feeds: Feeds, schema: Schema) -> Iterator[tuple[str, Feeds]]:
    """Groups of rows by what is odd about them, made from those in ``feeds``, which are not empty."""
    columns = layout(estimator, schema).columns
    seen = evidence(estimator, len(columns))
    if layout(estimator, schema).form == "texts":
        seen = Evidence(texts={0})
    blank = [
        column.name
        for place, column in enumerate(columns)
        if column.kind == "number" and place in seen.imputed
    ]
    also = [column.name for column in columns if column.kind == "number" and column.missing]
    for names in dict.fromkeys([tuple(blank), tuple(also)]):
        if names:
            yield "missing numbers, a column each", _blanks(feeds, schema, names[:MOST_CATEGORIES])
    for place, column in enumerate(columns):
        if place in seen.texts:
            shouted = [str(value).upper() for value in feeds[input_name(column.name)][:50, 0]]
            yield (
                f"odd texts in {column.name!r}",
                _with(feeds, schema, column.name, [*TEXTS, *shouted]),
            )
        categories = seen.categories.get(place)
        if categories is None:
            continue
        if column.kind == "number":
            known: list[Any] = [
                float(value)
                for value in categories
                if not is_missing(value) and not isinstance(value, str)
            ]
            odd: list[Any] = [max([0.0, *known]) + 1, 0.5]
        else:
            known, odd = [as_text(value) for value in categories], [UNSEEN]
        if known:
            yield (
                f"its categories of {column.name!r}",
                _with(feeds, schema, column.name, known[:MOST_CATEGORIES]),
            )
        yield (
            f"categories of {column.name!r} that it has not seen",
            _with(feeds, schema, column.name, odd),
        )
        yield (
            f"missing values of {column.name!r}",
            _with(feeds, schema, column.name, [np.nan if column.kind == "number" else ""]),
        )


def _blanks(feeds: Feeds, schema: Schema, names: tuple[str, ...]) -> Feeds:
    """As many rows as ``names``, and more of the first ones, each without its number in one of these columns."""
    rows = np.arange(max(len(names), BLANKS))
    made = take(feeds, rows % len(next(iter(feeds.values()))))
    places = {column.name: place for place, column in enumerate(schema.columns)}
    for number, name in enumerate(names):
        key, place = (NUMERIC_INPUT, places[name]) if schema.all_numeric else (input_name(name), 0)
        made[key] = made[key].copy()
        made[key][number :: len(names), place] = np.nan
    return made


def _with(feeds: Feeds, schema: Schema, name: str, values: list[Any]) -> Feeds:
    """Rows with these values in a column, a row each, and those of the first rows in the others."""
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
