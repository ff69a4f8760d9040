"""CSV files as tables of the exact text of their cells."""

from __future__ import annotations

import codecs
import csv
import io
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from onnxpress.errors import UserError
from onnxpress.reading import open_bytes
from onnxpress.tables.wording import shown

BLOCK_BYTES = 1 << 26
"""Arrow parses this much at a time; a row has to fit in."""


def read_cells(path: Path) -> pa.Table:
    """Read a CSV file with a header line, in UTF-8, with commas: text, null where it is empty.

    Raises:
        UserError: the file is empty, is not UTF-8, is ragged, has a quote out of place, or a
            header that does not name each column once.
    """
    return pa.concat_tables(cells_in_blocks(path))


def cells_in_blocks(path: Path) -> Iterator[pa.Table]:
    """Yield the cells of a CSV file as :func:`read_cells` does, a part of the rows at a time.

    The first part has no rows, so that the columns of a file without any are known.

    Raises:
        UserError: as :func:`read_cells`.
    """
    quoted = check_text(path)
    with open_text(path) as lines:
        header = read_header(path, lines)
    if quoted:
        with open_text(path) as lines:
            check_quotes(path, lines)
    yield pa.table({name: pa.array([], pa.string()) for name in header})
    for cells in parse(path, len(header)):
        columns = [pc.if_else(pc.equal(column, ""), None, column) for column in cells.columns]
        yield pa.table(columns, names=header)


def check_text(path: Path) -> bool:
    """Check that a file is text, and return whether there are quotes in it.

    Raises:
        UserError: it is not UTF-8, or holds NUL characters.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    quoted, start, line = False, 0, 1
    with open_bytes(path) as file:
        while True:
            data = file.read(BLOCK_BYTES)
            if start == 0 and data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                raise UserError(f"{path} should be UTF-8 text, and is UTF-16; save it as UTF-8")
            waiting = len(decoder.getstate()[0])  # bytes of a letter that the block before began
            try:
                text = decoder.decode(data, final=not data)
            except UnicodeDecodeError as error:
                where = f"{error.reason} at byte {start - waiting + error.start}"
                raise UserError(
                    f"{path} should be UTF-8 text ({where}); save it as UTF-8"
                ) from error
            if (place := text.find("\0")) >= 0:
                line += text.count("\n", 0, place)
                raise UserError(
                    f"{path} has a NUL character in line {line}; remove it or save it as UTF-8"
                )
            if not data:
                return quoted
            quoted = quoted or '"' in text
            start, line = start + len(data), line + text.count("\n")


def open_text(path: Path) -> TextIO:
    """Open a file for Python's parser, which sees the ends of lines as they are."""
    return io.TextIOWrapper(open_bytes(path), "utf-8-sig", newline="")


def read_header(path: Path, lines: Iterable[str]) -> list[str]:
    """Return the names of the columns.

    Raises:
        UserError: there is none, only one, one without a name, or one twice.
    """
    with fields_of_any_length():
        try:
            reader = csv.reader(lines, strict=True)
            header = next((row for row in reader if row), [])
        except csv.Error as error:
            raise malformed(path, str(error), 1) from error
    if not header:
        raise UserError(f"{path} should be a CSV file with a header line and commas; it is empty")
    twice = sorted(name for name, count in Counter(header).items() if count > 1)
    if twice and twice != [""]:
        name = next(name for name in twice if name)
        raise UserError(
            f"{path}: column {shown(name)} is in the header more than once; rename or drop one"
        )
    if "" in header:
        place = header.index("") + 1
        raise UserError(f"{path}: column {place} has no name in the header; name it or drop it")
    if len(header) == 1:
        raise UserError(
            f"{path} has one column only, {shown(header[0])}; "
            "expected commas between the columns and at least one feature"
        )
    return header


def check_quotes(path: Path, lines: Iterable[str]) -> None:
    """Check that quotes enclose whole values.

    A quote out of place would silently swallow the rows up to the next one.

    Raises:
        UserError: a quote is not closed, or is followed by something else than a comma.
    """
    with fields_of_any_length():
        reader = csv.reader(lines, strict=True)
        try:
            for _ in reader:
                pass
        except csv.Error as error:
            raise malformed(path, str(error), reader.line_num) from error


def malformed(path: Path, why: str, line: int) -> UserError:
    """Return the error about a quote out of place."""
    return UserError(
        f"{path} should be a CSV file with a header line and commas: {why}, up to line {line}; "
        'close the quote, and write a quote within a value as ""'
    )


@contextmanager
def fields_of_any_length() -> Iterator[None]:
    """Lift the limit of 131,072 characters that Python's parser has."""
    before = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def parse(path: Path, width: int) -> Iterator[pa.RecordBatch]:
    """Yield the cells below the header, as text, a block of the file at a time.

    Raises:
        UserError: a row has more or fewer values than ``width``.
    """
    ragged: list[arrow_csv.InvalidRow] = []

    def note(row: arrow_csv.InvalidRow) -> str:
        ragged.append(row)
        return "skip"

    kinds = {f"f{position}": pa.string() for position in range(width)}
    above = 1  # the header, which Arrow takes for a row
    try:
        with (
            open_bytes(path) as file,
            arrow_csv.open_csv(
                file,
                read_options=arrow_csv.ReadOptions(
                    autogenerate_column_names=True, use_threads=False, block_size=BLOCK_BYTES
                ),
                parse_options=arrow_csv.ParseOptions(
                    newlines_in_values=True, invalid_row_handler=note
                ),
                convert_options=arrow_csv.ConvertOptions(
                    column_types=kinds, strings_can_be_null=False
                ),
            ) as reader,
        ):
            for batch in reader:
                if not ragged:  # else the rest is only counted
                    yield batch.slice(above)
                above = 0
    except pa.ArrowException as error:
        if "Empty CSV file" in str(error):  # a header alone, its line not ended
            return
        raise UserError(
            f"{path} should be a CSV file with a header line and commas: {error}"
        ) from error
    if ragged:
        raise UserError(describe_ragged(path, ragged, width))


def describe_ragged(path: Path, ragged: list[arrow_csv.InvalidRow], width: int) -> str:
    """Describe the first row that does not have a value per name, and count them."""
    first = ragged[0]
    more = f" (and {len(ragged) - 1} more rows)" if len(ragged) > 1 else ""
    cure = "complete the header" if first.actual_columns > width else "add the missing commas"
    return (
        f"{path}: row {first.number - 1} has {first.actual_columns} values, the header has "
        f"{width} names{more}; correct the row or {cure}"
    )
