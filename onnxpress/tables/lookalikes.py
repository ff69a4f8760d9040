"""What text looks like that is meant as something else: dates, times, numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

SHARE = 0.9
"""So much of the distinct values must look alike: single errors and remarks do not hide a date."""

PLAIN = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
ANGLO = r"[+-]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?"
EUROPEAN = r"[+-]?\d{1,3}(?:\.\d{3})+,\d+|[+-]?\d*,\d+|[+-]?\d{1,3}(?:\.\d{3}){2,}"
SPACED = r"[+-]?[1-9]\d{0,2}(?:(?P<mark>[ '_\u00a0\u202f\u2019])\d{3})+(?:[.,]\d+)?"
WRITTEN = rf"(?:{PLAIN}|{ANGLO}|{EUROPEAN}|{SPACED.replace('?P<mark>', '?:')})"
MONEY = r"(?:[$€£¥₩₹₽₺₫฿]|USD|EUR|GBP|JPY|KRW|CHF|CNY|US\$|원|円|元|kr|zł)"
CLOCK = (
    r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?: ?[AaPp]\.?[Mm]\.?)?"
    r"(?: ?(?:Z|UTC|[+-]\d{2}:?\d{2}))?"
)
MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.?"
DAYS = (
    r"\d{4}([-/.])\d{1,2}\1\d{1,2}",
    r"\d{1,2}([-/.])\d{1,2}\2(?:\d{4}|\d{2})",
    r"\d{4}[-/]\d{2}",
    rf"\d{{1,2}}[ .-]{{0,2}}{MONTH}[ ,.-]{{0,2}}\d{{2,4}}",
    rf"(?:[A-Z][a-z]{{2,8}},? )?{MONTH} \d{{1,2}},? \d{{4}}",
    rf"{MONTH}[ -]\d{{4}}",
    r"\d{4}-?Q[1-4]",
    r"\d{4}-?W\d{2}(?:-\d)?",
    r"\d{4}[년年] ?\d{1,2}[월月](?: ?\d{1,2}[일日])?",
    r"\d{8}T\d{6}Z?",
)
DATE = rf"(?:{'|'.join(DAYS)})(?:(?:T|,? +){CLOCK})?"
NUMBERS = "write it as plain numbers"

THOUSANDS = "numbers with thousands separators"
COMMAS = "numbers with a decimal comma"
PERCENT = "percentages"
MONEY_AMOUNTS = "amounts of money"
UNITS = "numbers with a unit"
QUANTITIES = (THOUSANDS, COMMAS, PERCENT, MONEY_AMOUNTS)
"""What is certainly a quantity, and no name."""


@dataclass(frozen=True)
class Likeness:
    """What values look like, and what to do about it."""

    what: str
    cure: str
    example: str


FORMS: tuple[tuple[str, str, str], ...] = (
    ("dates", DATE, "turn it into numbers, such as days since a fixed day, or drop it"),
    ("times", rf"(?:[+-]?\d+ days?,? )?{CLOCK}", "turn it into numbers, such as seconds"),
    (THOUSANDS, ANGLO, 'set `thousands`: "," (CSV)'),
    (COMMAS, EUROPEAN, 'set `decimal`: "," (CSV)'),
    (THOUSANDS, SPACED, "set `thousands` (CSV) to the character between the digits"),
    (PERCENT, rf"{WRITTEN} ?%", NUMBERS),
    (
        MONEY_AMOUNTS,
        rf"[+-]?{MONEY} ?[+-]?(?:\d[\d ,.'\u00a0]*)|[+-]?\d[\d ,.'\u00a0]*{MONEY}",
        NUMBERS,
    ),
    (
        "numbers with a unit",
        rf"{PLAIN} ?[A-Za-zµμ°Ω²³/]{{1,6}}",
        "write the number without its unit",
    ),
)
DOTTED = ' and `thousands`: "."'
PATTERNS = [(what, re.compile(form), cure) for what, form, cure in FORMS]
ANY_NUMBER = re.compile(PLAIN)
UNIT = re.compile(r"[^\d.,]*$")
FEW_UNITS = 4


def likeness(words: Sequence[str], least: int = 2) -> Likeness | None:
    """Return what at least nine in ten of these distinct texts look like, beside plain numbers.

    ``least``: so many must have the form.
    """
    trimmed = [word.strip() for word in words]
    rest = [word for word in trimmed if not ANY_NUMBER.fullmatch(word)]
    plain = len(trimmed) - len(rest)
    for what, form, cure in PATTERNS:
        alike = [word for word in rest if form.fullmatch(word)]
        enough = len(alike) + plain >= SHARE * len(trimmed)
        if len(alike) < least or not enough or (what == UNITS and motley(alike)):
            continue
        dotted = what == COMMAS and any("." in word for word in alike)
        return Likeness(what, cure + (DOTTED if dotted else ""), alike[0])
    if plain and plain >= SHARE * len(trimmed):
        return Likeness("numbers", "store it as numbers if it is a quantity", trimmed[0])
    return None


def motley(words: Sequence[str]) -> bool:
    """Return whether the ends vary too much for units, or the values are few, as 2wd and 4wd."""
    units = {match.group() for word in words if (match := UNIT.search(word))}
    return len(words) < FEW_UNITS or len(units) > FEW_UNITS
