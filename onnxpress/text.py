"""Text as it may be shown: what cannot be seen is escaped, what is too long is cut."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    pass


LONGEST_SHOWN = 200
"""Characters of a name or value in a line."""

_UNSEEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufff0-\uffff]"  # controls, line separators, lone surrogates
    r"|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"  # turn the direction of a line
    r"|[\xad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0]"  # empty
    r"|[\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"  # empty too
    r"|(?<![\u0600-\u0dff\u2190-\u2bff\ufe0f\U0001f000-\U0001faff])[\u200c\u200d]"  # joins no letters or emoji
    r"|(?<![#*0-9\xa9\xae\u203c-\u3299\U0001f000-\U0001faff])[\ufe00-\ufe0f]"  # varies no emoji
)
"""What nobody sees in a line, though it may command a terminal, turn what follows, or make two names look alike."""

_UNSEEN_IN_JSON = re.compile(f"(?!\n)(?:{_UNSEEN.pattern})")


def visible(text: str) -> str:
    """``text`` as it may be shown, whoever wrote it: what cannot be seen is shown as its escape."""
    return _UNSEEN.sub(
        lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), text
    )


def shortened(text: str) -> str:
    """``text``, cut where it is too long for a line."""
    return (
        text
        if len(text) <= LONGEST_SHOWN
        else f"{text[:LONGEST_SHOWN]}... ({len(text):,} characters)"
    )


def json_text(content: Any) -> str:
    """Sorted JSON in lines of two spaces, as :func:`visible` and as readable; JSON's own escapes lose nothing.

    NaN and infinities raise ValueError.
    """
    text = json.dumps(content, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False)
    return _UNSEEN_IN_JSON.sub(lambda found: json.dumps(found[0])[1:-1], text)
