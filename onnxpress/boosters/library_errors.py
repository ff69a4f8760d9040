"""Messages of the libraries in a line."""

from __future__ import annotations

import re

_PLACE = re.compile(r"\[\d+:\d+:\d+\] \S+?:\d+: ")


def first_line(error: Exception) -> str:
    """Return the message without the stack, and without XGBoost's time and place in its source.

    "[15:52:56] /workspace/src/data/data.cc:1196: Check failed: valid: Input data contains inf"
    becomes "Check failed: valid: Input data contains inf".
    """
    lines = str(error).splitlines() or [type(error).__name__]
    return _PLACE.sub("", lines[0])[:300]
