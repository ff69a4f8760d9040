"""What a held process has to say of a given model, as it crosses from there: written by its side, checked by ours."""

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
"""Predictions, labels of int64, labels of text."""


@dataclass(frozen=True)
class Outcome:
    """``lines`` to be said, in order; why the model was ``refused``, if it was; its ``dump``, empty then.

    ``values`` are its answers on the calibration rows, (rows,); None if it gave none.
    """

    lines: tuple[str, ...]
    refused: str | None
    dump: bytes | memoryview = b""
    values: NDArray[Any] | None = None


def to_answer(outcome: Outcome) -> tuple[dict[str, Any], Sequence[bytes]]:
    """The content and blobs of an answer."""
    values = outcome.values if outcome.values is not None else np.empty(0)
    kind = values.dtype.newbyteorder("<").str if outcome.values is not None else None
    content = {"lines": outcome.lines, "refused": outcome.refused, "kind": kind}
    return content, [bytes(outcome.dump), values.astype(values.dtype.newbyteorder("<")).tobytes()]


def from_answer(answer: held.Answer, rows: int) -> Outcome:
    """The outcome in an answer about so many calibration ``rows``. The dump has still to be judged.

    Raises:
        Died: it is not what :func:`to_answer` makes.
    """
    lines, refused, kind = (answer.content.get(key) for key in ("lines", "refused", "kind"))
    texts = lines if isinstance(lines, list) else [None]
    texts = [*texts, *([refused] if refused is not None else [])]
    if len(texts) > MOST_LINES or not all(
        isinstance(text, str) and len(text) <= MOST_CHARACTERS for text in texts
    ):
        raise held.Died("gave an answer that is none of ours")
    if len(answer.blobs) != 2 or (refused is None) == (not answer.blobs[0]):
        raise held.Died("gave an answer that is none of ours")
    values = None if kind is None else _values(kind, answer.blobs[1], rows)
    return Outcome(tuple(lines or ()), refused, answer.blobs[0], values)


def _values(kind: Any, blob: memoryview, rows: int) -> NDArray[Any]:
    if not (
        isinstance(kind, str)
        and KINDS.fullmatch(kind)
        and len(blob) == rows * np.dtype(kind).itemsize
    ):
        raise held.Died("gave an answer that is none of ours")
    return np.frombuffer(blob, kind)
