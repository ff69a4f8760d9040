"""The place of a row in an order that no file decides: by its content, its group, or its time.

A part of the split is all rows from one place on. Rows of one place are never divided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import types

from onnxpress.errors import UserError
from onnxpress.tables.arrow_types import decoded, is_text, present
from onnxpress.tables.wording import listed, shown

Places = NDArray[np.uint64]
"""(rows,), from 0 to 2^64 - 1."""

STEP = 16
"""Bits of a place that are counted at once."""


def content_hashes(frame: pd.DataFrame) -> Places:
    """Return a number for each row of typed columns, (rows,): equal rows have equal ones."""
    plain = pd.DataFrame({name: _alike(values) for name, values in frame.items()})
    return np.asarray(pd.util.hash_pandas_object(plain, index=False), np.uint64)


def _alike(values: pd.Series) -> pd.Series | NDArray[Any]:
    """Return values of which equal ones have equal bits: -0.0 is 0.0, and each NaN the same."""
    if values.dtype.kind != "f":
        return values
    found = values.to_numpy() + 0.0
    found[np.isnan(found)] = np.nan
    return found


def group_hashes(values: pa.ChunkedArray, what: str, rows: NDArray[np.intp]) -> Places:
    """Return a number for the group of each row, (rows,).

    ``rows`` are the numbers of the rows in the file, from 0; ``what`` errors call the column.

    Raises:
        UserError: a row has no group.
    """
    _refuse_gaps(values, what, rows)
    encoded = decoded(values).combine_chunks().dictionary_encode()
    words = np.array([str(value) for value in encoded.dictionary.to_pylist()], object)
    return np.asarray(pd.util.hash_array(words)[encoded.indices.to_numpy()], np.uint64)


def mixed(hashes: Places, seed: int) -> Places:
    """Return numbers as good as random, (rows,), that follow from hashes and a seed alone.

    The steps are those of SplitMix64 (Steele, Lea and Flood, 2014).
    """
    found = hashes + np.uint64((seed + 1) * 0x9E3779B97F4A7C15 % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        found = (found ^ (found >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray(found ^ (found >> np.uint64(31)))


def check_time(table: pa.Table, name: str, others: tuple[str, ...], group: str | None) -> None:
    """See that the column of times is one of the table, and none of the ``others``.

    Raises:
        UserError: it is not, or the rows are in groups, which time would divide.
    """
    if group is not None:
        raise UserError(
            "`split` by time would divide the rows of a `group`; set one of them to null"
        )
    if name not in table.column_names:
        raise UserError(
            f"`split`: {shown(name)} is not a column of the table; "
            f"its columns: {listed(table.column_names, 20)}"
        )
    if name in others:
        raise UserError(f"`split`: {shown(name)} is a column of `target` or `text` too")


def time_places(values: pa.ChunkedArray, what: str, rows: NDArray[np.intp]) -> Places:
    """Return the place of each row in time, (rows,).

    Args:
        values: dates, dates with a time, numbers, or text such as 2024-05-31 or 2024-05-31 23:59.
        what: what errors call the column.
        rows: the numbers of the rows in the file, from 0.

    Raises:
        UserError: a row has no time, or the values are something else.
    """
    values = decoded(values)
    _refuse_gaps(values, what, rows)
    try:
        if is_text(values.type):
            values = pc.cast(values, pa.timestamp("us"))
        if types.is_date32(values.type):
            values = pc.cast(values, pa.int32())
        if types.is_floating(values.type):
            return _of_floats(pc.cast(values, pa.float64()).to_numpy())
        whole = pc.cast(values, pa.int64()).to_numpy()
    except pa.ArrowException as error:
        raise UserError(
            f"{what} should hold times to split by: dates, numbers, or text such as "
            f"2024-05-31 23:59:59 without a zone ({error})"
        ) from error
    return np.asarray(whole.view(np.uint64) ^ np.uint64(1 << 63))


def _of_floats(values: NDArray[np.float64]) -> Places:
    """Return numbers in the same order, (rows,): negative floats are ordered from 0 downwards."""
    bits = np.ascontiguousarray(values + 0.0).view(np.uint64)
    sign = np.uint64(1 << 63)
    return np.where(bits & sign, ~bits, bits | sign)


def _refuse_gaps(values: pa.ChunkedArray, what: str, rows: NDArray[np.intp]) -> None:
    gaps = np.flatnonzero(~present(values))
    if len(gaps):
        raise UserError(
            f"{what} has no value in row {rows[gaps[0]] + 1}; "
            "expected one in every row with a target"
        )


def cut_of(parts: Callable[[], Iterable[Places]], share: float) -> np.uint64 | None:
    """Return the place from which on about ``share`` of all rows are, but not all.

    ``parts`` gives the places of all rows, some at a time, as often as it is called: memory does
    not grow with the rows. None if all rows have one place.
    """
    rows = sum(len(part) for part in parts())
    wanted = rows - max(1, min(rows - 1, round(share * rows)))
    rank, prefix = wanted, 0
    for shift in range(64 - STEP, -1, -STEP):  # the bits of the place with this rank, from the top
        counts = np.zeros(1 << STEP, np.int64)
        for part in parts():
            known = part >> np.uint64(shift)
            alike = known[known >> np.uint64(STEP) == prefix]
            bits_of = (alike & np.uint64((1 << STEP) - 1)).astype(np.intp)
            counts += np.bincount(bits_of, minlength=1 << STEP)
        totals = np.cumsum(counts)
        bits = int(np.searchsorted(totals, rank, side="right"))
        rank -= int(totals[bits - 1]) if bits else 0
        prefix = prefix << STEP | bits
    place, following, below, at = np.uint64(prefix), None, 0, 0
    for part in parts():
        below, at = below + int((part < place).sum()), at + int((part == place).sum())
        if (part > place).any():
            least = part[part > place].min()
            following = least if following is None else min(following, least)
    if below and (following is None or wanted - below <= below + at - wanted):
        return place
    return following
