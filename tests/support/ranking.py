"""Rows of queries with a relevance, generated."""

from __future__ import annotations

import numpy as np
import pandas as pd

from onnxpress.tables.column_types import type_columns
from onnxpress.tables.rows import Rows, as_rows
from onnxpress.tables.schema import Schema


def queries(count: int, seed: int = 0, *, categories: bool = True) -> pd.DataFrame:
    """The rows of ``count`` queries, 4 to 12 each, in no order.

    ``relevance`` is 0 to 3 and depends on ``price``, ``fit`` and ``shop``, not on the query, whose
    offset moves ``fit`` of all its rows.
    """
    random = np.random.default_rng(seed)
    query = np.repeat(np.arange(count), random.integers(4, 13, count))
    rows = len(query)
    price, own = random.gamma(2, 10, rows), random.normal(size=rows)
    shop = random.integers(0, 4, rows)
    worth = own - price / 20 + np.array([0, 0.5, 1, -1])[shop] + random.normal(0, 0.3, rows)
    frame = pd.DataFrame(
        {
            "query": np.char.add("q", query.astype(str)),
            "price": price.round(2),
            "fit": own + random.normal(size=count)[query],
            "relevance": np.digitize(worth, [-1, 0, 1]),
        }
    )
    frame.loc[random.random(rows) < 0.05, "price"] = np.nan
    if categories:
        frame.insert(1, "shop", np.array(["north", "south", "east", "west"])[shop])
    return frame.sample(frac=1, random_state=seed).reset_index(drop=True)


def rows_of(table: pd.DataFrame) -> tuple[Rows, Schema]:
    """Rows as the prepare stage makes them, in the table's order: no group is together."""
    frame, schema = type_columns(table, "relevance", "regression", group="query")
    columns = {column.name: frame[column.name].to_numpy() for column in schema.columns}
    groups = frame["query"].to_numpy()
    return as_rows(columns, frame["relevance"].to_numpy(), schema, groups), schema
