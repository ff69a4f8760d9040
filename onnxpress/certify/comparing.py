"""Hold the answers of a runtime against those of the onnxruntime installed here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.certify.replaying import Answer

TOLERANCE = 1e-5
"""Numbers that differ by at most this are equal; the difference is relative above 1."""

Outputs = Sequence[NDArray[Any]]


class Outcome(StrEnum):
    """What became of a model in a runtime; the values are those in runtimes.json."""

    EQUAL = "answers equally"
    DIFFERENT = "answers differently"
    FAILS = "does not run"
    NOT_TRIED = "not tried"


@dataclass(frozen=True)
class Finding:
    """What a runtime has made of a model, against the onnxruntime installed here."""

    outcome: Outcome
    reason: str = ""
    """The runtime's error, or why it was not tried."""
    rows: int = 0
    agreeing: int = 0
    """Rows with the same label, or of a regressor with numbers within :data:`TOLERANCE`."""
    largest: float | None = None
    """Largest difference of a number, relative above 1; None if the shapes differ."""
    load_ms: float | None = None
    row_ms: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the entry in runtimes.json, without the times."""
        if self.outcome in {Outcome.NOT_TRIED, Outcome.FAILS}:
            return {"outcome": str(self.outcome), "reason": self.reason}
        return {
            "outcome": str(self.outcome),
            "rows": self.rows,
            "agreeing_rows": self.agreeing,
            "agreement": self.agreeing / self.rows,
            "largest_difference": self.largest,
        }

    def times(self) -> dict[str, float | None]:
        """Return the load time and the mean time of a call with one row, in ms."""
        return {"load_ms": self.load_ms, "row_ms": self.row_ms}


def finding(expected: Outputs, answer: Answer) -> Finding:
    """Compare the outputs of a runtime with the expected ones, output by output.

    1. An error is an outcome of its own, and so is what was not tried.
    2. Labels (whole numbers, texts) agree if they are equal. Without labels a row agrees if all of
       its numbers are equal within :data:`TOLERANCE`.
    3. All rows have to agree, and all numbers to be equal within :data:`TOLERANCE`.
    """
    if answer.not_tried:
        return Finding(Outcome.NOT_TRIED, answer.not_tried)
    if answer.error:
        return Finding(Outcome.FAILS, answer.error)
    rows, times = len(expected[0]), (answer.load_ms, answer.row_ms)
    pairs = list(zip(expected, answer.outputs, strict=False))
    if len(answer.outputs) != len(expected) or any(one.size != two.size for one, two in pairs):
        return Finding(Outcome.DIFFERENT, "", rows, 0, None, *times)
    numbers = [(one, two) for one, two in pairs if one.dtype.kind == "f"]
    labels = [(one, two) for one, two in pairs if one.dtype.kind != "f"]
    apart = [_differences(one, two).reshape(rows, -1) for one, two in numbers]
    largest = max((float(each.max(initial=0.0)) for each in apart), default=0.0)
    same = [(_text(one) == _text(two)).reshape(rows, -1).all(axis=1) for one, two in labels]
    near = [(each <= TOLERANCE).all(axis=1) for each in apart]
    agreeing = int(np.logical_and.reduce(same or near).sum())
    equal = agreeing == rows and largest <= TOLERANCE
    found = Outcome.EQUAL if equal else Outcome.DIFFERENT
    finite = largest if np.isfinite(largest) else None
    return Finding(found, "", rows, agreeing, finite, *times)


def _differences(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float64]:
    """Return how far numbers are apart, relative above 1; infinite where only one is NaN.

    Of ``one`` [0.5, 20, nan, inf] and ``other`` [0.4, 22, nan, 1] these are [0.1, 0.1, 0, inf].
    """
    first, second = one.astype(np.float64).ravel(), other.astype(np.float64).ravel()
    with np.errstate(invalid="ignore"):
        found = np.abs(first - second) / np.maximum(1, np.abs(first))
    alike = (first == second) | (np.isnan(first) & np.isnan(second))
    return np.where(alike, 0.0, np.where(np.isnan(found), np.inf, found))


def _text(values: NDArray[Any]) -> NDArray[Any]:
    """Return labels in a form that compares: some runtimes give int32 for int64."""
    return values.astype(str) if values.dtype.kind in "OSU" else values.astype(np.int64)
