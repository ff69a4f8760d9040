"""The options behind the arguments that a line of the library names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from onnxpress.errors import UserError

OPTIONS = {
    "X": "--data",
    "budgets": "--budget",
    "decimal": "--decimal",
    "device": "--device",
    "group": "--group",
    "max_memory_mb": "--max-memory-mb",
    "max_seconds": "--max-seconds",
    "missing_values": "--missing",
    "model_path": "MODEL",
    "source": "--data",
    "target": "--target",
    "task": "--task",
    "text": "--text",
    "thousands": "--thousands",
    "trust": "--trust",
    "y": "--target",
}
"""By argument, in backquotes in a line or, if it is ``X`` or ``y``, as a word."""

LEADING = {
    "score": "--score",
    "also": "--also",
    "positive": "--positive",
    "budgets": "--budget",
    "device": "--device",
    "budgets.": "--budget ",
    "budgets:": "--budget",
}
"""By what a line begins with."""

_FIRST = re.compile(r"^(?:budgets[.:]|(?:score|also|positive|budgets|device)(?= ))")

_ARGUMENT = re.compile(r"`(\w+)`|(?<![\w./'-])([Xy])(?![\w./'-])")


def with_options(line: str) -> str:
    """Return the line with options instead of arguments."""

    def named(found: re.Match[str]) -> str:
        return OPTIONS.get(found[1] or found[2], found[0])

    return _ARGUMENT.sub(named, _FIRST.sub(lambda found: LEADING[found[0]], line))


@contextmanager
def options_named() -> Iterator[None]:
    """Name options in the errors of the block."""
    try:
        yield
    except UserError as error:
        raise type(error)(with_options(str(error))) from error
