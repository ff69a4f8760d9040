"""Groups of rows that belong together: their numbers, and splits that keep each group whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from onnxpress.errors import UserError
from onnxpress.tables.arrow_types import present
from onnxpress.tables.wording import listed, shown

DRAWS = 50
"""Orders of the groups that are drawn for classes, of which the part most like the rest counts."""


def check_group(table: pa.Table, group: str, others: tuple[str, ...]) -> None:
    """See that ``group`` is a column of the table, and none of the ``others`` that have a use.

    Raises:
        UserError: it is not.
    """
    if group not in table.column_names:
        raise UserError(
            f"`group` {shown(group)} is not a column of the table; "
            f"its columns: {listed(table.column_names, 20)}"
        )
    if group in others:
        raise UserError(
            f"`group` {shown(group)} is a column of `target` or `text` too; name another column"
        )


def group_numbers(values: pa.ChunkedArray, name: str, rows: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return the number of each row's group, (rows,), from 0 in the order of their first rows.

    ``rows`` are the numbers of the rows in the file, from 0.

    Raises:
        UserError: a row has no group.
    """
    gaps = np.flatnonzero(~present(values))
    if len(gaps):
        raise UserError(
            f"group {shown(name)} has no value in row {rows[gaps[0]] + 1}; "
            "expected one in every row with a target"
        )
    codes = values.combine_chunks().dictionary_encode().indices
    found: NDArray[np.int64] = codes.to_numpy().astype(np.int64)
    return found


def split_groups(
    groups: NDArray[np.int64], share: float, seed: int, classes: NDArray[Any] | None = None
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Draw whole groups until about ``share`` of the rows are drawn.

    Args:
        groups: the number of each row's group, (rows,).
        share: of the rows, in (0, 1).
        seed: of the order in which groups are drawn.
        classes: (rows,) of a classification: of ``DRAWS`` orders, that counts after which the
            classes are in both parts in the most equal shares.

    Returns:
        The positions of the other rows, and of those drawn, each group together.

    Raises:
        ValueError: there is one group only, or a class is in no group that is left.
    """
    _, codes, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if len(sizes) < 2:
        raise ValueError("they are of one group, and a group is not divided")
    random = np.random.default_rng(seed)
    orders = [random.permutation(len(sizes)) for _ in range(1 if classes is None else DRAWS)]
    drawn = [_first(order, sizes, share * len(groups)) for order in orders]
    best = 0
    if classes is not None:
        counts = np.zeros((len(sizes), len(np.unique(classes))))
        np.add.at(counts, (codes, np.unique(classes, return_inverse=True)[1]), 1)
        best = int(np.argmin([_unlikeness(counts, each) for each in drawn]))
        if not (counts.sum(axis=0) > counts[drawn[best]].sum(axis=0)).all():
            raise ValueError("a class is in too few groups to be in every part")
    # groups [0, 1, 0, 2] drawn in the order 2, 0, 1: rank [1, 2, 1, 0], so rows 3, 0, 2, 1
    rank = np.argsort(orders[best])[codes]
    order = np.argsort(rank, kind="stable")
    cut = int(sizes[drawn[best]].sum())
    return order[cut:], order[:cut]


def _first(order: NDArray[np.intp], sizes: NDArray[np.intp], wanted: float) -> NDArray[np.intp]:
    """Return the first groups of an order, whose rows are as many as wanted, or nearly so.

    At least one group, and not all.
    """
    totals = np.cumsum(sizes[order])[:-1]
    return order[: int(np.abs(totals - wanted).argmin()) + 1]


def _unlikeness(counts: NDArray[np.float64], drawn: NDArray[np.intp]) -> float:
    """Return how far the share of any class in the groups drawn is from its share in all rows.

    ``counts`` are rows, (groups, classes). Infinite if a class is in no other group.
    """
    own, every = counts[drawn].sum(axis=0), counts.sum(axis=0)
    if (own == every).any():
        return float("inf")
    return float(np.abs(own / own.sum() - every / every.sum()).max())
