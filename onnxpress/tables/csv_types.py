"""From the text of CSV cells to booleans, whole numbers, numbers, or the text itself."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from onnxpress.errors import UserError

TRUE = ("True", "TRUE", "true")
FALSE = ("False", "FALSE", "false")
INTEGERS = (pa.int64(), pa.decimal256(76, 0))
"""Whole numbers become the first of these types that holds every value of the column."""


@dataclass(frozen=True)
class CsvForm:
    """How a CSV file writes missing values and numbers.

    Raises:
        UserError: one character is both the decimal mark and the thousands separator.
    """

    missing: tuple[str, ...] = ()
    """Cells that mean a missing value, besides empty ones."""
    decimal: str = "."
    thousands: str | None = None

    def __post_init__(self) -> None:
        if self.decimal == self.thousands:
            raise UserError(
                f"`decimal` and `thousands` are the same character, {self.decimal!r}; change one"
            )


PLAIN = CsvForm()


def typed(
    cells: pa.Table,
    form: CsvForm = PLAIN,
    text: Collection[str] = (),
    targets: Collection[str] = (),
) -> pa.Table:
    """Give each column the narrowest type of all of its cells; the columns in ``text`` stay text.

    Rows without one of the ``targets`` are left out later, so their values decide nothing: a line
    with a total below the numbers does not make text of them.
    """
    columns = {name: without_missing(cells[name], form.missing) for name in cells.column_names}
    for target in set(targets) & set(columns):
        labelled = pc.is_valid(columns[target])
        columns = {name: pc.if_else(labelled, values, None) for name, values in columns.items()}
    return pa.table(
        {
            name: values if name in text else as_values(values, form)
            for name, values in columns.items()
        }
    )


def without_missing(cells: pa.ChunkedArray, words: Collection[str]) -> pa.ChunkedArray:
    """Return the cells, null where they are one of ``words`` but for spaces around them."""
    if not words:
        return cells
    trimmed = pc.utf8_trim_whitespace(cells)
    missing = pc.utf8_trim_whitespace(pa.array(list(words), pa.string()))
    return pc.if_else(pc.is_in(trimmed, missing), None, cells)


def as_values(cells: pa.ChunkedArray, form: CsvForm) -> pa.ChunkedArray:
    """Return booleans if every cell is one, else numbers if every cell is one, else the text."""
    if cells.null_count == len(cells):
        return cells
    trimmed = pc.utf8_trim_whitespace(cells)
    booleans = as_booleans(trimmed)
    if booleans is not None:
        return booleans
    numbers = as_numbers(trimmed, form)
    return cells if numbers is None else numbers


def as_booleans(cells: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Return the cells as booleans, or None if one is something else."""
    words = pa.array([*TRUE, *FALSE])
    known = pc.or_kleene(pc.is_in(cells, words), pc.is_null(cells))
    if not pc.all(known).as_py():
        return None
    return pc.if_else(pc.is_null(cells), None, pc.is_in(cells, pa.array(TRUE)))


def as_numbers(cells: pa.ChunkedArray, form: CsvForm) -> pa.ChunkedArray | None:
    """Return the cells as integers if all are whole, as float64 if all are numbers, else None."""
    plain = plainly_written(cells, form)
    if plain is None:
        return None
    whole = pc.all(pc.match_substring_regex(plain, r"^[+-]?\d+$")).as_py()
    for kind in INTEGERS if whole else ():
        try:
            return pc.cast(pc.utf8_ltrim(plain, characters="+"), kind)
        except pa.ArrowInvalid:
            continue  # it does not hold all of them
    try:
        floats = pc.cast(plain, pa.float64())
    except pa.ArrowInvalid:
        return None
    return None if pc.any(pc.is_nan(floats)).as_py() else floats  # "nan" is a word like another


def cells_as_numbers(cells: pa.ChunkedArray, form: CsvForm) -> pa.ChunkedArray | None:
    """Return the cells as float64, each by itself, or None if one is neither missing nor a number.

    Booleans are 1 and 0. Unlike :func:`as_numbers`, what the other cells are changes no number.
    """
    trimmed = pc.utf8_trim_whitespace(cells)
    plain = plainly_written(trimmed, form)
    if plain is None:
        return None
    digits = pc.if_else(pc.is_in(trimmed, pa.array(TRUE)), "1", plain)
    digits = pc.if_else(pc.is_in(trimmed, pa.array(FALSE)), "0", digits)
    try:
        floats = pc.cast(digits, pa.float64())
    except pa.ArrowInvalid:
        return None
    return None if pc.any(pc.is_nan(floats)).as_py() else floats


def plainly_written(cells: pa.ChunkedArray, form: CsvForm) -> pa.ChunkedArray | None:
    """Rewrite numbers with a full stop and no separators; None if they do not follow ``form``."""
    if form.thousands is not None:
        mark, point = re.escape(form.thousands), re.escape(form.decimal)
        grouped = rf"^[+-]?\d{{1,3}}({mark}\d{{3}})+({point}\d*)?$"
        has_mark = pc.match_substring(cells, form.thousands)
        follows = pc.match_substring_regex(cells, grouped)
        if pc.any(pc.and_not(has_mark, follows)).as_py():
            return None
        cells = pc.replace_substring(cells, form.thousands, "")
    if form.decimal != ".":
        if pc.any(pc.match_substring(cells, ".")).as_py():
            return None
        cells = pc.replace_substring(cells, form.decimal, ".")
    return cells
