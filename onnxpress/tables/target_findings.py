"""What in the column to predict may surprise, and features that are the target itself."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import types

from onnxpress.tables.arrow_types import decoded, is_number, numbers, present
from onnxpress.tables.column_findings import (
    likeness_findings,
    missing_findings,
    spelling_findings,
    spelt,
    tally,
)
from onnxpress.tables.findings import Finding
from onnxpress.tables.schema import Schema
from onnxpress.tables.wording import shown

RESOLVED = 0.001
"""Steps of float32 should be less than this part of a target's standard deviation."""


def target_findings(
    table: pa.Table, target: str, cells: pa.Table | None, *, decided: bool
) -> Iterator[Finding]:
    """Yield what may surprise about the classes; ``decided``: by the user, not by the values."""
    values = decoded(table[target])
    values = values.filter(pa.array(present(values)))
    if not is_number(values.type):
        counts = tally(values)
        yield from likeness_findings(target, counts, "target")
        yield from spelling_findings(target, counts, "target")
        yield from missing_findings(target, counts, "target")
        return
    if not (decided or types.is_integer(values.type) or types.is_boolean(values.type)):
        says = (
            f"holds whole numbers written with decimals, {len(np.unique(numbers(values)))} "
            "different ones, taken as classes; set `task`: regression if it is a quantity"
        )
        yield Finding("float classes", target, says, "target")
    if cells is not None:
        yield from merged_classes(target, cells, booleans=types.is_boolean(values.type))


def quantity_findings(table: pa.Table, target: str) -> Iterator[Finding]:
    """Yield a quantity that varies so little beside its size that float32 merges values."""
    values = decoded(table[target])
    array = numbers(values.filter(pa.array(present(values))))
    largest, varies = np.abs(array).max(), array.std()
    step = np.spacing(np.float32(largest))
    if step > RESOLVED * varies:
        says = (
            f"has a standard deviation of {varies:.2g} and values up to {largest:.2g}, where "
            f"float32, in which ONNX predicts, has steps of {step:.2g}; "
            "subtract a constant or write it in another unit"
        )
        yield Finding("steps", target, says, "target")


def merged_classes(target: str, cells: pa.Table, *, booleans: bool) -> Iterator[Finding]:
    """Yield spellings of a CSV file that become one class."""
    by_value: dict[str, str] = {}
    for word in tally(cells[target]):
        value = word.strip().casefold() if booleans else spelt(word)
        other = by_value.setdefault(value, word)
        if other.strip() != word.strip():
            says = (
                f"writes one class in several ways, {shown(other)} and {shown(word)}: "
                "they are taken as the same"
            )
            yield Finding("merged classes", target, says, "target")
            return


def leak_findings(frame: pd.DataFrame, schema: Schema, name: str) -> Iterator[Finding]:
    """Yield features that are the target ``name`` itself, or the target in other words."""
    target = frame[name]
    classes = target.nunique()
    for column in schema.columns:
        values = frame[column.name]
        if equal(values, target):
            yield Finding("leak", column.name, "equals the target in every row; drop it")
        elif schema.task == "classification" and values.nunique(dropna=False) == classes:
            pairs = pd.DataFrame({"value": values, "class": target}).drop_duplicates()
            if len(pairs) == classes:
                says = "gives the target away: each of its values goes with one class; drop it"
                yield Finding("leak", column.name, says)


def equal(values: pd.Series, target: pd.Series) -> bool:
    """Return whether a feature equals the target in every row, as float32 if they are numbers."""
    if pd.api.types.is_numeric_dtype(values) != pd.api.types.is_numeric_dtype(target):
        return False
    if pd.api.types.is_numeric_dtype(values):
        return bool((values.to_numpy() == target.to_numpy().astype(np.float32)).all())
    return bool((values.to_numpy() == target.to_numpy()).all())
