"""What each Arrow type of a column means: numbers, text, or a refusal that says what to do.

This is where the columns of a Parquet file get their type; those of a CSV file and a DataFrame
pass through here too.

========================================  ===============================================
booleans                                  numbers 0 and 1
integers, floats, decimals of any width   numbers
text of any kind                          text: a category, or free text if it is named so
dictionaries (pandas: categories)         what their values are
dates, times, durations                   refused: they would be one category a day
lists, structs, maps, bytes, extensions   refused
========================================  ===============================================
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import types

from onnxpress.errors import UserError
from onnxpress.tables.wording import shown

DAYS = "turn it into numbers, such as days since a fixed day, or drop it"
HOURS = "turn it into numbers, such as seconds, or drop it"
SINGLE = "expected one number or text per row"

REFUSED: tuple[tuple[Callable[[Any], bool], str, str], ...] = (
    (types.is_date, "dates", DAYS),
    (types.is_timestamp, "dates with a time", DAYS),
    (types.is_time, "times of day", HOURS),
    (types.is_duration, "durations", HOURS),
    (types.is_interval, "intervals of time", HOURS),
    (types.is_map, "map values", SINGLE),
    (types.is_struct, "struct values", SINGLE),
    (types.is_nested, "list values", SINGLE),
)


def is_text(kind: pa.DataType) -> bool:
    """Return whether values of this type are text."""
    return any(
        test(kind) for test in (types.is_string, types.is_large_string, types.is_string_view)
    )


def is_number(kind: pa.DataType) -> bool:
    """Return whether values of this type are numbers; booleans are."""
    tests = (types.is_boolean, types.is_integer, types.is_floating, types.is_decimal)
    return any(test(kind) for test in tests)


def meaning(values: pa.ChunkedArray, name: str, what: str = "column") -> Literal["number", "text"]:
    """Return whether a column holds numbers or text.

    Raises:
        UserError: it holds values that no model takes; the line says what to do.
    """
    if is_number(values.type):
        return "number"
    if is_text(values.type):
        return "text"
    for test, came, cure in REFUSED:
        if test(values.type):
            raise UserError(f"{what} {shown(name)} holds {came}; {cure}")
    came = "bytes" if "binary" in str(values.type) else f"values of the type {values.type}"
    raise UserError(f"{what} {shown(name)} holds {came}; {SINGLE}")


def decoded(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the same values in a type that all functions of Arrow take.

    Dictionaries become their values, text large_string, narrow decimals decimal128.
    """
    if types.is_dictionary(values.type):
        values = pc.cast(values, values.type.value_type)
    kind = values.type
    if types.is_decimal32(kind) or types.is_decimal64(kind):
        return pc.cast(values, pa.decimal128(kind.precision, kind.scale))
    return pc.cast(values, pa.large_string()) if is_text(kind) else values


def present(values: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Return which rows have a value, bool (rows,): neither null nor NaN nor empty text."""
    kind = values.type
    there = pc.is_valid(values)
    if types.is_floating(kind):
        there = pc.and_(there, pc.invert(pc.fill_null(pc.is_nan(values), fill_value=False)))
    elif is_text(kind):
        there = pc.and_(there, pc.not_equal(pc.fill_null(values, ""), ""))
    return np.asarray(there.to_numpy(), dtype=bool)


def numbers(values: pa.ChunkedArray) -> NDArray[np.float64]:
    """Return numbers as float64 (rows,), NaN where they are missing."""
    if types.is_boolean(values.type):
        values = pc.cast(values, pa.int8())
    elif types.is_decimal(values.type):  # Arrow's own way from decimals to floats rounds twice
        values = pc.cast(values, pa.string())
    floats = pc.cast(values, pa.float64(), safe=False)
    array: NDArray[np.float64] = pc.fill_null(floats, float("nan")).to_numpy()
    return array


def texts(values: pa.ChunkedArray) -> NDArray[np.object_]:
    """Return values as objects of str (rows,), as Python writes them, empty if missing."""
    there = present(values)
    in_its_width = types.is_floating(values.type)  # 0.1 as float32 is not 0.10000000149
    every = values.to_numpy() if in_its_width else values.to_pylist()
    written = [str(value) if kept else "" for value, kept in zip(every, there, strict=True)]
    return np.array(written, dtype=object)
