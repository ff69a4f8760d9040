"""Cells of CSV files that we write: a spreadsheet computes what looks like a formula to it."""

from __future__ import annotations

import re

_NUMBER = r"[+-]?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?"

_SIGNS = r"[=+\-@\t\r\n\uff0b\uff0d\uff1d\uff20]"
"""A text that begins so is computed; the last four are as wide as Korean letters."""

_FORMULA = rf"(?!(?:{_NUMBER}|[+-])\Z){_SIGNS}"
"""The beginning of a formula, but not of a number or a lone sign."""

_TO_MARK, _MARKED = re.compile(f"'*{_FORMULA}"), re.compile(f"'+{_FORMULA}")


def cell(value: object) -> str:
    """Return a number or text as a cell of a CSV file (RFC 4180).

    A text that looks like a formula gets a ``'`` before it. Python's own writer would leave a
    carriage return unquoted, which ends a line.
    """
    text = str(value)
    if isinstance(value, str) and _TO_MARK.match(text):
        text = f"'{text}"
    if re.search('[,;"\t\r\n]', text):
        text = text.replace('"', '""')
        return f'"{text}"'
    return text


def text_of_cell(text: str) -> str:
    """Return the text that :func:`cell` was given, from what a CSV reader reads."""
    return text[1:] if _MARKED.match(text) else text
