"""Tables of every type, index and pattern of gaps, and what must become of each of their values.

The right values come from the generated Python values, by plain Python: ``float32(float(value))``
for numbers, the text itself for text. A column ``row`` holds each row's number, by which a row is
found again wherever it ends up.
"""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from hypothesis import strategies as st
from pyarrow import parquet

from onnxpress.pipeline.inputs import read_rows
from onnxpress.tables.column_types import type_columns
from onnxpress.tables.names import NUMERIC_INPUT
from onnxpress.tables.parquet_file import parquet_bytes
from onnxpress.tables.rows import Rows
from onnxpress.tables.schema import Schema
from onnxpress.tables.sources import Source, load_source
from onnxpress.tables.split import split

Values = list[Any]
NAMES = (
    "a",
    "bill length (mm)",
    "가 나",
    "1st",
    "a,b",
    'x"y',
    "two\nlines",
    " padded ",
    "=1+1",
    "None",
    "é",
    "f0",
    "index",
    "__filename",
)
WORDS = (
    "NA",
    "None",
    "null",
    "N/A",
    "nan",
    "NULL",
    "-",
    " ",
    "x",
    " x",
    "X",
    "가",
    "é",
    "e\u0301",
    "①",
    "",
    "0x1F",
    "1_000",
)
"""Texts that readers of CSV take for something else."""
INTEGERS = {
    "int8": (-(2**7), 2**7 - 1),
    "int16": (-(2**15), 2**15 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint8": (0, 2**8 - 1),
    "uint16": (0, 2**16 - 1),
    "uint32": (0, 2**32 - 1),
    "uint64": (0, 2**64 - 1),
}
QUOTING: tuple[Literal[0], Literal[1]] = (csv.QUOTE_MINIMAL, csv.QUOTE_ALL)
letters = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)
finite = st.floats(-3e38, 3e38)


def series(values: Values, dtype: Any) -> Any:
    """Values as pandas stores them in a type."""
    return pd.Series(values, dtype=dtype)


@dataclass(frozen=True)
class Made:
    """A column of a DataFrame, the values it was made of (None: missing), and its cells in CSV."""

    stored: Any
    values: Values
    kind: str
    in_csv: bool = True


@dataclass(frozen=True)
class Generated:
    """A table to read, and its columns."""

    frame: pd.DataFrame
    columns: dict[str, Made]
    target: Made
    task: str
    free_text: tuple[str, ...]
    quoting: Literal[0, 1]
    """csv.QUOTE_MINIMAL or csv.QUOTE_ALL."""

    @property
    def in_csv(self) -> bool:
        """Whether CSV can express every column."""
        return self.target.in_csv and all(column.in_csv for column in self.columns.values())


@st.composite
def gaps(draw: st.DrawFn, values: st.SearchStrategy[Any], rows: int) -> Values:
    """A value per row, some of them missing; the first is there."""
    found: Values = draw(st.lists(values, min_size=rows, max_size=rows))
    missing = draw(st.sampled_from(["none", "some", "last", "all but one"]))
    if missing == "some":
        holes = draw(st.lists(st.booleans(), min_size=rows, max_size=rows))
        found = [
            None if hole and place else value
            for place, (hole, value) in enumerate(zip(holes, found, strict=True))
        ]
    elif missing == "last":
        found[-1] = None
    elif missing == "all but one":
        found = [found[0]] + [None] * (rows - 1)
    return found


@st.composite
def column(draw: st.DrawFn, rows: int) -> Made:
    """A feature column of any type that is taken."""
    kind = draw(
        st.sampled_from([integers, floats, float32s, booleans, decimals, words, digits, codes])
    )
    made: Made = draw(kind(rows))
    return made


@st.composite
def integers(draw: st.DrawFn, rows: int) -> Made:
    """Whole numbers of any width.

    As numpy's, as pandas' nullable, as Arrow's, as floats with gaps, as categories.
    """
    name = draw(st.sampled_from(sorted(INTEGERS)))
    values = draw(gaps(st.integers(*INTEGERS[name]), rows))
    nullable = name.replace("int", "Int").replace("uInt", "UInt")
    kind = draw(st.sampled_from(["numpy", "nullable", "arrow", "category", "float"]))
    if kind == "float":
        values = [None if value is None else float(value) for value in values]
        return Made(pd.Series(values, dtype="float64"), values, "number")
    if kind == "category":
        return Made(pd.Series(pd.Categorical(series(values, nullable))), values, "number")
    if kind == "numpy" and None not in values:
        return Made(pd.Series(np.array(values, dtype=name)), values, "number")
    dtype = nullable if kind != "arrow" else pd.ArrowDtype(getattr(pa, name)())
    return Made(series(values, dtype), values, "number")


@st.composite
def floats(draw: st.DrawFn, rows: int) -> Made:
    """Numbers in 64 bits."""
    values = draw(gaps(finite, rows))
    dtype: Any = draw(
        st.sampled_from(["float64", "Float64", pd.ArrowDtype(pa.float64()), "category"])
    )
    if dtype == "category":  # -0.0 and 0.0 are one category
        values = [None if value is None else value + 0.0 for value in values]
        return Made(series(values, "float64").astype(dtype), values, "number")
    return Made(series(values, dtype), values, "number")


@st.composite
def float32s(draw: st.DrawFn, rows: int) -> Made:
    """Numbers in 32 or 16 bits.

    CSV holds the shortest text, which gives those of 32 bits back and no others.
    """
    half = draw(st.booleans())
    values = draw(
        gaps(st.floats(width=16 if half else 32, allow_nan=False, allow_infinity=False), rows)
    )
    if half:
        return Made(series(values, pd.ArrowDtype(pa.float16())), values, "number", in_csv=False)
    arrow = pd.ArrowDtype(pa.float32())  # which pandas writes with the digits of 64 bits
    dtype = draw(st.sampled_from(["float32", "Float32", arrow]))
    kept = [None if value is None else np.float32(value) for value in values]
    return Made(series(values, dtype), kept, "number", in_csv=dtype != arrow)


@st.composite
def booleans(draw: st.DrawFn, rows: int) -> Made:
    """True and False: as numpy's, nullable, objects with None, categories."""
    values = draw(gaps(st.booleans(), rows))
    kinds = [
        "boolean",
        "object",
        pd.ArrowDtype(pa.bool_()),
        *(["bool"] if None not in values else []),
    ]
    return Made(series(values, draw(st.sampled_from(kinds))), values, "number")


@st.composite
def decimals(draw: st.DrawFn, rows: int) -> Made:
    """Decimals of two places, of each width."""
    values = draw(gaps(st.decimals(-(10**6), 10**6, places=2), rows))
    width = draw(
        st.sampled_from(
            [pa.decimal32(9, 2), pa.decimal64(18, 2), pa.decimal128(20, 2), pa.decimal256(50, 2)]
        )
    )
    if width.bit_width < 128:  # pandas has no such column; to_parquet of a table does
        return Made(pd.Series(values, dtype=object), values, "number")
    return Made(series(values, pd.ArrowDtype(width)), values, "number")


@st.composite
def words(draw: st.DrawFn, rows: int) -> Made:
    """Text that is no number."""
    text = st.one_of(st.sampled_from(WORDS), letters.map("w{}".format))
    values = ["first", *draw(gaps(text, rows))[1:]]
    dtypes = [
        "object",
        "str",
        "category",
        *map(pd.ArrowDtype, (pa.string(), pa.large_string(), pa.string_view())),
    ]
    dtype = draw(st.sampled_from(dtypes))
    is_view = dtype == pd.ArrowDtype(pa.string_view())  # which pandas cannot write as CSV
    return Made(series(values, dtype), values, "category", in_csv=not is_view)


@st.composite
def digits(draw: st.DrawFn, rows: int) -> Made:
    """Text of digits, which CSV cannot tell from numbers."""
    values = draw(gaps(st.sampled_from(["1", "01", "1.0", "007", "True", "2"]), rows))
    return Made(pd.Series(values, dtype="str"), values, "category", in_csv=False)


@st.composite
def codes(draw: st.DrawFn, rows: int) -> Made:
    """Dictionaries of Arrow."""
    values = ["first", *draw(gaps(st.sampled_from(["p", "q", "NA"]), rows))[1:]]
    kind = pa.dictionary(draw(st.sampled_from([pa.int8(), pa.int32()])), pa.string())
    return Made(series(values, pd.ArrowDtype(kind)), values, "category")


@st.composite
def target(draw: st.DrawFn, rows: int) -> tuple[Made, str]:
    """Two or three classes of any type, or a quantity; a few rows have none."""
    classes = draw(st.integers(2, 3))
    holes = set(draw(st.lists(st.integers(1, rows - 1), max_size=2)))
    places = [None if row in holes else row % classes for row in range(rows)]
    kind = draw(st.sampled_from(["text", "integer", "boolean", "float", "category", "quantity"]))
    if kind == "quantity":
        values = [0.5, *(None if place is None else draw(finite) for place in places[1:])]
        return Made(pd.Series(values, dtype="float64"), values, kind), "regression"
    options: dict[str, Values] = {
        "text": ["None", "가", "NA"],
        "category": ["null", " x", "x"],
        "integer": [-1, 0, 10**17],
        "boolean": [True, False, True],
        "float": [1.0, 2.0, 3.0],
    }
    values = [None if place is None else options[kind][place] for place in places]
    dtype = {
        "text": "object",
        "category": "category",
        "integer": "Int64",
        "boolean": "boolean",
        "float": "float64",
    }[kind]
    return Made(pd.Series(values, dtype=dtype), values, kind), "classification"


@st.composite
def tables(draw: st.DrawFn) -> Generated:
    """A table under any index."""
    rows = draw(st.integers(16, 24))
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True))
    order = draw(st.permutations(range(rows)))
    columns = {
        "row": Made(
            pd.Series(order, dtype=draw(st.sampled_from(["int64", "float32", "UInt16"]))),
            list(order),
            "number",
        )
    }
    columns |= {name: draw(column(rows)) for name in names}
    labels, task = draw(target(rows))
    frame = pd.DataFrame(
        {name: made.stored for name, made in columns.items()} | {"y": labels.stored}
    )
    frame.index = draw(index(rows))
    free = tuple(name for name in names if draw(st.integers(0, 4)) == 0)
    return Generated(frame, columns, labels, task, free, draw(st.sampled_from(QUOTING)))


@st.composite
def index(draw: st.DrawFn, rows: int) -> pd.Index:
    """Row names as DataFrames have them after a shuffle, a filter, a join or a group."""
    kind = draw(
        st.sampled_from(
            ["range", "shuffled", "gaps", "same", "text", "days", "two levels", "named"]
        )
    )
    numbers = draw(st.permutations(range(rows)))
    if kind == "two levels":
        return pd.MultiIndex.from_arrays(
            [[row % 3 for row in numbers], numbers], names=[None, "second"]
        )
    if kind == "days":
        return pd.date_range("2020-01-01", periods=rows)
    made: dict[str, Values] = {
        "range": list(range(rows)),
        "shuffled": list(numbers),
        "named": list(numbers),
        "gaps": [3 * row + 7 for row in range(rows)],
        "same": [row % 2 for row in numbers],
        "text": [f"r{row}" for row in numbers],
    }
    return (
        pd.RangeIndex(rows)
        if kind == "range"
        else pd.Index(made[kind], name="key" if kind == "named" else None)
    )


def check(table: Generated, folder: Path) -> None:
    """Write the table as Parquet and, where CSV can express it, as CSV.

    Every value that comes out is the right one.
    """
    table.frame.to_parquet(folder / "data" / "x.parquet")
    frame, schema = settled(load_source("data/x.parquet", "y", text=table.free_text), table)
    parts = split(frame, schema, 0.25, 0.45, 0)
    seen: list[int] = []
    for part in (parts.train, parts.calibration, parts.test):
        (folder / "part.parquet").write_bytes(parquet_bytes(part))
        seen += check_rows(read_rows(folder / "part.parquet", schema), schema, table)
    labelled = [
        row
        for row, value in zip(table.columns["row"].values, table.target.values, strict=True)
        if value is not None
    ]
    assert sorted(seen) == sorted(labelled)
    if not table.in_csv:
        return
    ends = "\r\n" if table.quoting == csv.QUOTE_MINIMAL else "\n"
    table.frame.to_csv(
        folder / "data" / "x.csv", index=False, quoting=table.quoting, lineterminator=ends
    )
    from_csv, _ = settled(load_source("data/x.csv", "y", text=table.free_text), table)
    assert stored(from_csv) == stored(frame)


def settled(source: Source, table: Generated) -> tuple[pd.DataFrame, Schema]:
    """The rows of a source in their final types, their schema checked."""
    frame, schema = type_columns(source.table, source.target, "auto", table.free_text)
    check_schema(schema, table)
    return frame, schema


def stored(frame: pd.DataFrame) -> bytes:
    """A frame's rows as bytes, by which even 0.0 and -0.0 differ."""
    buffer = io.BytesIO()
    parquet.write_table(pa.Table.from_pandas(frame, preserve_index=False), buffer)
    return buffer.getvalue()


def check_schema(schema: Schema, table: Generated) -> None:
    """Kinds and gaps follow from the values of the rows that have a target."""
    assert (schema.task, schema.target) == (table.task, "y")
    assert [each.name for each in schema.columns] == list(table.columns)
    for each in schema.columns:
        made = table.columns[each.name]
        assert each.kind == ("text" if each.name in table.free_text else made.kind)
        rows = zip(made.values, table.target.values, strict=True)
        assert each.missing == any(
            value in (None, "") for value, label in rows if label is not None
        )


def check_rows(rows: Rows, schema: Schema, table: Generated) -> list[int]:
    """Each row has the values that it was made with; returns the numbers of the rows."""
    feeds = rows.feeds
    if schema.all_numeric:
        feeds = {
            each.name: feeds[NUMERIC_INPUT][:, place : place + 1]
            for place, each in enumerate(schema.columns)
        }
    numbers = [int(value) for value in feeds["row"][:, 0]]
    places = {number: place for place, number in enumerate(table.columns["row"].values)}
    for found, number in enumerate(numbers):
        for name, made in table.columns.items():
            value = made.values[places[number]]
            came = feeds[name][found, 0]
            if name in table.free_text or made.kind == "category":
                assert came == ("" if value is None else str(value)), name
            else:
                assert same_number(came, value), (name, came, value)
        assert same_label(rows.target[found], table.target.values[places[number]])
    return numbers


def same_number(came: Any, value: bool | float | Decimal | None) -> bool:
    """Whether a float32 is the value, or NaN where there is none."""
    return (
        bool(math.isnan(came))
        if value is None
        else came.dtype == np.float32 and came == np.float32(float(value))
    )


def same_label(came: Any, value: Any) -> bool:
    """Whether a target is the value: classes keep their name, booleans are 0 and 1."""
    return str(came) == value if isinstance(value, str) else came == value
