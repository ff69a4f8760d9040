"""CSV files as tables of the exact text of their cells."""

from __future__ import annotations

import codecs
import csv
import io
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from onnxpress.errors import UserError
from onnxpress.reading import read_bytes
from onnxpress.tables.wording import shown

BLOCK_BYTES = 1 << 26
"""Arrow parses this much at a time; a row has to fit in."""


def read_cells(path: Path) -> pa.Table:
    """Read a CSV file with a header line, in UTF-8, with commas: text, null where it is empty.

    Raises:
        UserError: the file is empty, is not UTF-8, is ragged, has a quote out of place, or a
            header that does not name each column once.
    """
    data = read_bytes(path)
    text = decode(path, data)
    header = read_header(path, text)
    if '"' in text:
        check_quotes(path, text)
    cells = parse(path, data, len(header))
    columns = [pc.if_else(pc.equal(column, ""), None, column) for column in cells.columns]
    return pa.table(columns, names=header)


def decode(path: Path, data: bytes) -> str:
    """Return the text of a file.

    Raises:
        UserError: it is not UTF-8, or holds NUL characters.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UserError(f"{path} should be UTF-8 text, and is UTF-16; save it as UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        where = f"{error.reason} at byte {error.start}"
        raise UserError(f"{path} should be UTF-8 text ({where}); save it as UTF-8") from error
    if (position := text.find("\0")) >= 0:
        line = len(text[:position].splitlines()) or 1
        raise UserError(f"{path} has a NUL character in line {line}; remove it or save it as UTF-8")
    return text


def read_header(path: Path, text: str) -> list[str]:
    """Return the names of the columns.

    Raises:
        UserError: there is none, only one, one without a name, or one twice.
    """
    with fields_of_any_length():
        try:
            reader = csv.reader(io.StringIO(text, newline=""), strict=True)
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


def check_quotes(path: Path, text: str) -> None:
    """Check that quotes enclose whole values.

    A quote out of place would silently swallow the rows up to the next one.

    Raises:
        UserError: a quote is not closed, or is followed by something else than a comma.
    """
    with fields_of_any_length():
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
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


def parse(path: Path, data: bytes, width: int) -> pa.Table:
    """Return the cells below the header, as text.

    Raises:
        UserError: a row has more or fewer values than ``width``.
    """
    ragged: list[arrow_csv.InvalidRow] = []

    def note(row: arrow_csv.InvalidRow) -> str:
        ragged.append(row)
        return "skip"

    whole = data if data.endswith(b"\n") else data + b"\n"  # else Arrow sees no header in "a,y"
    kinds = {f"f{position}": pa.string() for position in range(width)}
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(whole),
            read_options=arrow_csv.ReadOptions(
                autogenerate_column_names=True, use_threads=False, block_size=BLOCK_BYTES
            ),
            parse_options=arrow_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=note),
            convert_options=arrow_csv.ConvertOptions(column_types=kinds, strings_can_be_null=False),
        )
    except pa.ArrowException as error:
        raise UserError(
            f"{path} should be a CSV file with a header line and commas: {error}"
        ) from error
    if ragged:
        raise UserError(describe_ragged(path, ragged, width))
    return table.slice(1)  # without the header


def describe_ragged(path: Path, ragged: list[arrow_csv.InvalidRow], width: int) -> str:
    """Describe the first row that does not have a value per name, and count them."""
    first = ragged[0]
    more = f" (and {len(ragged) - 1} more rows)" if len(ragged) > 1 else ""
    cure = "complete the header" if first.actual_columns > width else "add the missing commas"
    return (
        f"{path}: row {first.number - 1} has {first.actual_columns} values, the header has "
        f"{width} names{more}; correct the row or {cure}"
    )
