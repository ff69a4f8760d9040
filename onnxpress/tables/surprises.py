"""What in the columns of a table may surprise: a line each, naming the column and what to do."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import types

from onnxpress.tables.lookalikes import likeness
from onnxpress.tables.meanings import decoded, is_number, numbers, present, texts
from onnxpress.tables.wording import listed, shown
from onnxpress.tables.words import counted
from onnxpress.tables.words import is_number as is_number_text
from stages.common.table import Column, Schema

EXACT = 2.0**24
"""Float32 holds every whole number up to this."""
SMALLEST = float(np.finfo(np.float32).tiny)
"""Numbers closer to 0 than this lose digits in float32, and at last become 0."""
MANY = 0.1
"""Categories per row from which on there are too many to learn from."""
MISSING_WORDS = frozenset(
    ("na", "n/a", "#n/a", "<na>", "nan", "null", "none", "nil", "missing", "unknown", "?", "-", ".")
)
"""Texts that elsewhere mean a missing value, in lower case."""
LEADING_ZERO = re.compile(r"[+-]?0\d+")
DAY_NUMBER = re.compile(r"(19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")


@dataclass(frozen=True)
class Finding:
    """Something that may surprise about a column: why, in a word, and the line after its name."""

    reason: str
    column: str
    says: str
    what: str = "column"


def lines(findings: Iterable[Finding]) -> list[str]:
    """A line per reason; the first column's words speak for all that share it."""
    by_reason: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        by_reason[finding.reason, finding.what].append(finding)
    told = []
    for (_, what), (first, *others) in by_reason.items():
        also = listed(other.column for other in others)
        count = f"{len(others)} more column{'s' if len(others) > 1 else ''}"
        rest = f" (and so in {count}: {also})" if others else ""
        told.append(f"{what} {shown(first.column)} {first.says}{rest}")
    return told


def column_findings(table: pa.Table, schema: Schema, cells: pa.Table | None) -> Iterator[Finding]:
    """What may surprise about each feature of a source; ``cells`` is its text if it is CSV."""
    for column in schema.columns:
        values = decoded(table[column.name])
        if column.kind == "number":
            yield from number_findings(column.name, values)
            if cells is not None:
                yield from zero_findings(column, counted(texts(cells[column.name])))
        elif column.kind == "category":
            yield from category_findings(column.name, texts(values))


def number_findings(name: str, values: pa.ChunkedArray) -> Iterator[Finding]:
    """What float32 loses, and whole numbers that are something else than quantities."""
    if types.is_boolean(values.type):
        return
    array = numbers(values)
    array = array[~np.isnan(array)]
    whole = bool((array == np.floor(array)).all())
    if whole:
        yield from whole_findings(name, array)
    if types.is_float16(values.type) or types.is_float32(values.type):
        return
    before = pc.count_distinct(values, mode="only_valid").as_py()
    after = len(np.unique(array.astype(np.float32)))
    if whole and np.abs(array).max() > EXACT and after < before:
        yield Finding(
            "merged",
            name,
            f"holds whole numbers above 16,777,216: float32 merges {before - after} of its "
            f"{before} distinct values into others; subtract the smallest, split it, or drop it",
        )
    elif after * 2 <= before:
        yield Finding(
            "spread",
            name,
            f"has {before} distinct values, of which float32 keeps {after}; "
            "subtract a constant or write it in a larger unit",
        )
    if tiny := int(((array != 0) & (np.abs(array) < SMALLEST)).sum()):
        yield Finding(
            "tiny",
            name,
            f"has {tiny} values closer to 0 than float32 can hold (1.2e-38): "
            "they lose digits or become 0; write it in a smaller unit",
        )


def whole_findings(name: str, array: NDArray[np.float64]) -> Iterator[Finding]:
    """Whole numbers that are days, or only count the rows."""
    if len(array) > 2 and (np.diff(array) == 1).all() and array[0] in {0, 1}:
        yield Finding("counter", name, "only counts the rows; drop it")
        return
    distinct = np.unique(array)
    if len(distinct) > 2 and distinct[0] >= 19000101 and distinct[-1] <= 20991231:
        written = [str(int(value)) for value in distinct]
        if all(DAY_NUMBER.fullmatch(each) for each in written):
            yield Finding(
                "days",
                name,
                f"looks like dates ({written[0]}) and is taken as the numbers that they spell; "
                "turn it into days since a fixed day",
            )


def zero_findings(column: Column, counts: dict[str, int]) -> Iterator[Finding]:
    """Numbers of a CSV file that begin with 0 and are taken as numbers all the same."""
    first = next((word for word in counts if LEADING_ZERO.fullmatch(word.strip())), None)
    if first is not None:
        yield Finding(
            "zeros",
            column.name,
            f"has leading zeros ({shown(first)}) and is taken as numbers; "
            "if it is a code, put a letter before it",
        )


def category_findings(
    name: str, words: NDArray[np.object_], what: str = "column"
) -> Iterator[Finding]:
    """Text that looks like something else, or has too many or almost equal values."""
    counts = counted(words)
    rows = counts.total()
    like = likeness(list(counts))
    if like is not None:
        zeros = next((word for word in counts if LEADING_ZERO.fullmatch(word.strip())), None)
        reason, also = (like.what, "") if zeros is None else ("zeros", ", with leading zeros")
        yield Finding(
            reason,
            name,
            f"is text that looks like {like.what}{also} ({shown(zeros or like.example)}): "
            f"each value is a category of its own; {like.cure}",
            what,
        )
    if len(counts) == rows > 2:
        yield Finding(
            "unique",
            name,
            f"has another text in each of its {rows} rows; drop it, or name it in data.text",
            what,
        )
    elif len(counts) > max(2, MANY * rows):
        yield Finding(
            "many",
            name,
            f"has {len(counts)} categories in {rows} rows; group them, or name it in data.text",
            what,
        )
    yield from spelling_findings(name, counts, what)
    yield from missing_findings(name, counts, what)


def spelling_findings(name: str, counts: Iterable[str], what: str) -> Iterator[Finding]:
    """Texts that differ in spaces, case or the form of the same number only."""
    alike: dict[str, str] = {}
    for word in counts:
        other = alike.setdefault(spelt(word), word)
        if other != word:
            values = "categories" if what == "column" else "classes"
            yield Finding(
                "spelling",
                name,
                f"has {values} that differ in spelling only, {shown(other)} and {shown(word)}; "
                "write them alike if they mean the same",
                what,
            )
            return


def spelt(word: str) -> str:
    """A text without what spelling varies: spaces, case, the form of a letter or number."""
    word = " ".join(unicodedata.normalize("NFC", word).casefold().split())
    return repr(float(word)) if is_number_text(word) else word


def missing_findings(name: str, counts: dict[str, int], what: str) -> Iterator[Finding]:
    """Texts that often mean a missing value, and here are values."""
    words = {
        word: count for word, count in counts.items() if word.strip().casefold() in MISSING_WORDS
    }
    if not words:
        return
    word, count = max(words.items(), key=lambda item: item[1])
    values = "a category" if what == "column" else "a class"
    yield Finding(
        "missing words",
        name,
        f"has {shown(word)} as {values} in {count} rows; if it means a missing value, leave it "
        f"empty or set data.missing_values: [{shown(word)}] (CSV)",
        what,
    )


def target_findings(
    table: pa.Table, target: str, task: str, cells: pa.Table | None
) -> Iterator[Finding]:
    """What may surprise about the classes; ``task`` is what params say."""
    values = decoded(table[target])
    values = values.filter(pa.array(present(values)))
    if not is_number(values.type):
        counts = counted(texts(values))
        yield from spelling_findings(target, counts, "target")
        yield from missing_findings(target, counts, "target")
        return
    if task == "auto" and not (types.is_integer(values.type) or types.is_boolean(values.type)):
        array = np.unique(numbers(values))
        yield Finding(
            "float classes",
            target,
            f"holds numbers with decimals that are all whole, {len(array)} different ones: "
            "they are taken as classes; set data.task: regression if they are a quantity",
            "target",
        )
    if cells is not None:
        yield from merged_classes(target, values, cells)


def merged_classes(target: str, values: pa.ChunkedArray, cells: pa.Table) -> Iterator[Finding]:
    """Spellings of a CSV file that become one class."""
    counts = counted(texts(cells[target]))
    by_value: dict[object, str] = {}
    for word in counts:
        value = word.strip().casefold() if types.is_boolean(values.type) else spelt(word)
        other = by_value.setdefault(value, word)
        if other.strip() != word.strip():
            yield Finding(
                "merged classes",
                target,
                f"writes one class in several ways, {shown(other)} and {shown(word)}: "
                "they are taken as the same",
                "target",
            )
            return
