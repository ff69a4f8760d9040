"""Cells of CSV files: labels of a table are data, also in a spreadsheet, which computes what looks like a formula."""

from __future__ import annotations

import re

_FORMULA = r"(?!(?:[+-]?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|[+-])\Z)[=+\-@\t\r\n\uff0b\uff0d\uff1d\uff20]"
"""Where a spreadsheet begins to compute: these letters, also as wide as Korean ones, unless it is a number or a lone sign."""
_TO_MARK, _MARKED = re.compile(f"'*{_FORMULA}"), re.compile(f"'+{_FORMULA}")


def cell(value: object) -> str:
    """A number or text as a cell of a CSV file (RFC 4180); text that looks like a formula gets a ``'`` before it.

    Python's own writer would leave a carriage return unquoted, which ends a line.
    """
    text = str(value)
    text = f"'{text}" if isinstance(value, str) and _TO_MARK.match(text) else text
    return f'"{text.replace(chr(34), chr(34) * 2)}"' if re.search('[,;"\t\r\n]', text) else text


def text_of_cell(text: str) -> str:
    """The text that :func:`cell` was given, of what a CSV reader reads in its place."""
    return text[1:] if _MARKED.match(text) else text
