"""What in the features of a table may surprise: numbers that float32 merges, odd categories."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import types

from onnxpress.tables.arrow_types import decoded, numbers
from onnxpress.tables.findings import Finding
from onnxpress.tables.lookalikes import likeness
from onnxpress.tables.schema import Schema
from onnxpress.tables.stray_text import is_number as is_number_text
from onnxpress.tables.wording import listed, shown

EXACT = 2.0**24
"""Float32 holds every whole number up to this."""
SMALLEST = float(np.finfo(np.float32).tiny)
"""Numbers closer to 0 than this lose digits in float32, and the smallest become 0."""
LARGEST = float(np.finfo(np.float32).max)
MANY = 0.1
"""A share of categories in the rows; above it there are too many to learn from."""
MISSING_WORDS = frozenset(
    (
        *("na", "n/a", "#n/a", "<na>", "nan", "null", "none", "nil", "missing", "unknown"),
        *("?", "-", ".", ""),
    )
)
"""Texts that often mean a missing value, in lower case; "" is a cell of spaces."""
LEADING_ZERO = re.compile(r"[+-]?0\d+")
DAY_NUMBER = re.compile(r"(19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")


def column_findings(table: pa.Table, schema: Schema, cells: pa.Table | None) -> Iterator[Finding]:
    """Yield what may surprise about each feature; ``cells`` is the text of a CSV file."""
    for column in schema.columns:
        values = decoded(table[column.name])
        if column.kind == "number":
            yield from number_findings(column.name, values)
            if cells is not None:
                yield from zero_findings(column.name, cells[column.name])
        elif column.kind == "category":
            yield from category_findings(column.name, tally(values), "column")


def tally(values: pa.ChunkedArray) -> Counter[str]:
    """Return how often each text occurs; empty ones are missing and do not count."""
    counts = pc.value_counts(pc.drop_null(values)).to_pylist()
    return Counter({each["values"]: each["counts"] for each in counts if each["values"]})


def number_findings(name: str, values: pa.ChunkedArray) -> Iterator[Finding]:
    """Yield values that float32 loses, and whole numbers that are not quantities."""
    if types.is_boolean(values.type):
        return
    array = numbers(values)
    array = array[np.abs(array) <= LARGEST]  # larger ones are in rows without a target
    if not len(array):
        return
    whole = bool((array == np.floor(array)).all())
    if whole:
        yield from whole_findings(name, array)
    if types.is_float16(values.type) or types.is_float32(values.type):
        return
    if not whole or np.abs(array).max() > EXACT:
        yield from merge_findings(name, values, array, whole=whole)
    if tiny := int(((array != 0) & (np.abs(array) < SMALLEST)).sum()):
        yield Finding(
            "tiny",
            name,
            f"has {tiny} values closer to 0 than float32 can hold (1.2e-38): "
            "they lose digits or become 0; write it in a smaller unit",
        )


def merge_findings(
    name: str, values: pa.ChunkedArray, array: NDArray[np.float64], *, whole: bool
) -> Iterator[Finding]:
    """Yield distinct values that are one as float32: any among whole numbers, most among others."""
    in_floats = types.is_floating(values.type)
    before = len(np.unique(array)) if in_floats else pc.count_distinct(values).as_py()
    after = len(np.unique(array.astype(np.float32)))
    if whole and after < before:
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


def whole_findings(name: str, array: NDArray[np.float64]) -> Iterator[Finding]:
    """Yield whole numbers that are days, or only count the rows."""
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


def zero_findings(name: str, cells: pa.ChunkedArray) -> Iterator[Finding]:
    """Yield numbers of a CSV file that begin with 0 and are taken as numbers all the same."""
    first = pc.index(pc.match_substring_regex(cells, r"^\s*[+-]?0\d"), value=True).as_py()
    if first >= 0:
        yield Finding(
            "zeros",
            name,
            f"has leading zeros ({shown(cells[first].as_py())}) and is taken as numbers; "
            "if it is a code, put a letter before it",
        )


def category_findings(name: str, counts: Counter[str], what: str) -> Iterator[Finding]:
    """Yield text that looks like something else, or has too many or almost equal values."""
    rows = counts.total()
    likenesses = list(likeness_findings(name, counts, what))
    yield from likenesses
    if likenesses:
        pass  # it has already said what to do about so many values
    elif len(counts) == rows > 2:
        says = f"has another text in each of its {rows} rows; drop it, or name it in `text`"
        yield Finding("unique", name, says, what)
    elif len(counts) > max(2, MANY * rows):
        says = f"has {len(counts)} categories in {rows} rows; group them, or name it in `text`"
        yield Finding("many", name, says, what)
    yield from spelling_findings(name, counts, what)
    yield from missing_findings(name, counts, what)


def likeness_findings(name: str, counts: Counter[str], what: str) -> Iterator[Finding]:
    """Yield text that looks like dates or numbers, or is a number in most rows."""
    like = likeness(list(counts))
    each = "category" if what == "column" else "class"
    if like is not None:
        zeros = next((word for word in counts if LEADING_ZERO.fullmatch(word.strip())), None)
        reason, also = (like.what, "") if zeros is None else ("zeros", ", with leading zeros")
        yield Finding(
            reason,
            name,
            f"is text that looks like {like.what}{also} ({shown(zeros or like.example)}): "
            f"each value is a {each} of its own; {like.cure}",
            what,
        )
        return
    words = {word: count for word, count in counts.items() if not is_number_text(word)}
    rest = counts.total() - sum(words.values())
    if rest > sum(words.values()) and not has_missing_word(words):
        yield Finding(
            "mixed",
            name,
            f"holds numbers in {rest} rows and text in {sum(words.values())}, "
            f"{listed(words, 3)}: each value is a {each} of its own",
            what,
        )


def spelling_findings(name: str, counts: Iterable[str], what: str) -> Iterator[Finding]:
    """Yield texts that differ in spaces, case or the form of the same letter or number only."""
    alike: dict[str, str] = {}
    values = "categories" if what == "column" else "classes"
    for word in counts:
        other = alike.setdefault(spelt(word), word)
        if other == word:
            continue
        composed = unicodedata.normalize("NFC", word) == unicodedata.normalize("NFC", other)
        pair = [ascii(each) if composed else shown(each) for each in (other, word)]
        says = (
            f"has {values} that differ in spelling only, {' and '.join(pair)}; "
            "write them alike if they mean the same"
        )
        yield Finding("spelling", name, says, what)
        return


def spelt(word: str) -> str:
    """Return a text without what spelling varies: spaces, case, the form of a letter or number."""
    word = " ".join(unicodedata.normalize("NFC", word).casefold().split())
    return repr(float(word)) if is_number_text(word) else word


def has_missing_word(words: Iterable[str]) -> bool:
    """Return whether one of the texts often means a missing value."""
    return any(word.strip().casefold() in MISSING_WORDS for word in words)


def missing_findings(name: str, counts: Counter[str], what: str) -> Iterator[Finding]:
    """Yield texts that often mean a missing value, but here are values."""
    words = Counter({word: count for word, count in counts.items() if has_missing_word([word])})
    if not words:
        return
    ((word, count),) = words.most_common(1)
    each = "category" if what == "column" else "class"
    says = (
        f"has {shown(word)} as a {each} in {count} rows; if it means a missing value, leave it "
        f"empty or set `missing_values`: [{shown(word)}] (CSV)"
    )
    yield Finding("missing words", name, says, what)
