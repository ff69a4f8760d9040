"""What a held process found about a given model, as it crosses from there.

Its side writes it, ours checks it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress import held

MOST_LINES, MOST_CHARACTERS = 100, 5000

KINDS = re.compile(r"<(f8|i8|U[1-9]\d{0,6})")
"""Types of predictions: numbers, labels of int64, labels of text."""

NONE_OF_OURS = "gave an answer that is none of ours"


@dataclass(frozen=True)
class Outcome:
    """What was found about a given model."""

    lines: tuple[str, ...]
    """To be shown, in order."""
    refused: str | None
    """Why the model was refused; None if it was not."""
    dump: bytes | memoryview = b""
    """The model as a joblib file; empty if it was refused."""
    values: NDArray[Any] | None = None
    """Its predictions for the calibration rows, (rows,) or (rows, targets); None without any."""


def to_answer(outcome: Outcome) -> tuple[dict[str, Any], Sequence[bytes]]:
    """Return the content and blobs of an answer."""
    values = outcome.values if outcome.values is not None else np.empty(0)
    kind = values.dtype.newbyteorder("<").str if outcome.values is not None else None
    content = {"lines": outcome.lines, "refused": outcome.refused, "kind": kind}
    return content, [bytes(outcome.dump), values.astype(values.dtype.newbyteorder("<")).tobytes()]


def from_answer(answer: held.Answer, rows: int, targets: int = 1) -> Outcome:
    """Read the outcome in an answer about so many calibration ``rows``; its dump is not judged.

    A row has a prediction for each of so many ``targets``.

    Raises:
        Died: it is not what :func:`to_answer` makes.
    """
    lines, refused, kind = (answer.content.get(key) for key in ("lines", "refused", "kind"))
    texts = lines if isinstance(lines, list) else [None]
    texts = [*texts, *([refused] if refused is not None else [])]
    if len(texts) > MOST_LINES or not all(
        isinstance(text, str) and len(text) <= MOST_CHARACTERS for text in texts
    ):
        raise held.Died(NONE_OF_OURS)
    if len(answer.blobs) != 2 or (refused is None) == (not answer.blobs[0]):
        raise held.Died(NONE_OF_OURS)
    values = None if kind is None else _values(kind, answer.blobs[1], rows, targets)
    return Outcome(tuple(lines or ()), refused, answer.blobs[0], values)


def _values(kind: Any, blob: memoryview, rows: int, targets: int) -> NDArray[Any]:
    """Return the predictions (rows,), or (rows, targets) of several, in a blob.

    Raises:
        Died: it does not hold that many of that kind.
    """
    known = isinstance(kind, str) and KINDS.fullmatch(kind) is not None
    if not known or len(blob) != rows * targets * np.dtype(kind).itemsize:
        raise held.Died(NONE_OF_OURS)
    found = np.frombuffer(blob, kind)
    return found if targets == 1 else found.reshape(rows, targets)
