"""Text as it may be shown: what cannot be seen is escaped, what is long cut, a bound rounded up."""

from __future__ import annotations

import json
import re
from decimal import ROUND_CEILING, Context, Decimal
from typing import Any

LONGEST_SHOWN = 200
"""Characters of a name or value in a line."""

_UNSEEN = re.compile(
    # controls, line separators, lone surrogates
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufff0-\uffff]"
    # what turns the direction of a line
    r"|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
    # letters without a shape
    r"|[\xad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u2060-\u2065\u206a-\u206f]"
    r"|[\u3164\ufeff\uffa0\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
    # joiners that do not join letters or emoji
    r"|(?<![\u0600-\u0dff\u2190-\u2bff\ufe0f\U0001f000-\U0001faff])[\u200c\u200d]"
    # variants of what is not an emoji
    r"|(?<![#*0-9\xa9\xae\u203c-\u3299\U0001f000-\U0001faff])[\ufe00-\ufe0f]"
)
"""Characters that nobody sees in a line.

They may command a terminal, turn what follows, or make two names look alike.
"""

_UNSEEN_IN_JSON = re.compile(f"(?!\n)(?:{_UNSEEN.pattern})")


def visible(text: str) -> str:
    """Return ``text`` as it may be shown: characters that nobody sees become escapes."""
    return _UNSEEN.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape", "surrogatepass").decode()


def shortened(text: str) -> str:
    """Return ``text``, cut where it is too long for a line."""
    if len(text) <= LONGEST_SHOWN:
        return text
    return f"{text[:LONGEST_SHOWN]}... ({len(text):,} characters)"


def percent_up(share: float) -> str:
    """Return a share in percent with three significant digits, rounded up as a bound must be."""
    percent = 100 * Decimal(repr(share))
    shown = Context(prec=3, rounding=ROUND_CEILING).create_decimal(percent)
    return f"{float(shown):.3g}"


def json_text(content: Any, indent: int | None = 2) -> str:
    """Return sorted JSON that is as visible as :func:`visible`, in one line if ``indent`` is None.

    The escapes are JSON's own, so nothing is lost.

    Raises:
        ValueError: it holds NaN or an infinity.
    """
    text = json.dumps(content, indent=indent, sort_keys=True, allow_nan=False, ensure_ascii=False)
    return _UNSEEN_IN_JSON.sub(lambda found: json.dumps(found[0])[1:-1], text)
