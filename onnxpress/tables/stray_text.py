"""Text that is not the words it seems to be: numbers among words, words among numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from onnxpress.errors import UserError
from onnxpress.tables.lookalikes import QUANTITIES, likeness
from onnxpress.tables.wording import shown

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
FEW_NUMBERS = 20
"""A column with more distinct numbers than this is a quantity, whatever words are among them."""
Objects = NDArray[np.object_]


def is_number(text: str) -> bool:
    """Return whether a text is a number, maybe with spaces around it."""
    return NUMBER.fullmatch(text.strip()) is not None


def counted(words: Iterable[str]) -> Counter[str]:
    """Return how often each text occurs; empty ones are missing and do not count."""
    counts = Counter(words)
    del counts[""]
    return counts


def refuse_nul(words: Objects, what: str, rows: NDArray[np.intp]) -> None:
    """Refuse NUL characters: one ends a text in C, so texts that differ after it would be equal.

    Raises:
        UserError: a text has one; ``rows`` are the rows' numbers in the file, from 0.
    """
    for row, word in zip(rows, words, strict=True):
        if "\0" in word:
            where = f"in row {row + 1}, {shown(word)}"
            raise UserError(f"{what} has a NUL character {where}; remove it")


def refuse_stray_text(words: Objects, what: str, rows: NDArray[np.intp]) -> None:
    """Refuse a quantity with a few words among its numbers: it would be hundreds of categories.

    Raises:
        UserError: most values are numbers, and more of them differ than categories would;
            ``rows`` are the rows' numbers in the file, from 0.
    """
    counts = counted(words)
    numbers = {word: count for word, count in counts.items() if is_number(word)}
    stray = {word: count for word, count in counts.items() if word not in numbers}
    if not stray or sum(numbers.values()) <= sum(stray.values()):
        return
    if len({float(word) for word in numbers}) <= FEW_NUMBERS:
        return
    first = next(place for place, word in enumerate(words) if word in stray)
    came = f"first {shown(words[first])} in row {rows[first] + 1}"
    raise UserError(
        f"{what} holds numbers in {sum(numbers.values())} rows and text in "
        f"{sum(stray.values())}, {came}; {cure(stray)}"
    )


def refuse_written_quantities(words: Objects, what: str) -> None:
    """Refuse a target of prices or percentages: it would be hundreds of classes.

    Raises:
        UserError: the texts are numbers in another form, and more than classes would be.
    """
    counts = counted(words)
    like = likeness(list(counts)) if len(counts) > FEW_NUMBERS else None
    if like is not None and like.what in QUANTITIES:
        raise UserError(
            f"{what} is text that looks like {like.what} ({shown(like.example)}); {like.cure}"
        )


def cure(stray: dict[str, int]) -> str:
    """Return what to do about texts among numbers."""
    like = likeness(list(stray), least=1)
    if like is not None:
        return f"these look like {like.what}: {like.cure}"
    word = shown(max(stray, key=lambda each: stray[each]))
    return (
        "correct it or leave it empty; if it means a missing value, "
        f"add it to `missing_values` (CSV): [{word}]"
    )
