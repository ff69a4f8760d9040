"""Send rows to an endpoint and compare its answers with those of a model that runs here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxpress.commands.verify_endpoint.endpoint import Answer
from onnxpress.evaluate.predicted_rows import PredictedRows
from onnxpress.evaluate.relative_differences import TOLERANCE, numbers, relative_differences
from onnxpress.runtime.predictions import Predict, Predictions
from onnxpress.tables.rows import Feeds, take

Infer = Callable[[Feeds], Answer]
PERCENTILES = (50, 95, 99)
WARM_UP = 5
"""Requests before the first that is timed."""


@dataclass(frozen=True)
class Compared:
    """Rows with two predictions for each, and which of them differ."""

    rows: PredictedRows
    """The model's predictions, then the endpoint's."""
    differing: NDArray[np.bool_]
    """(rows,): another label, or a score or number that is further away than rounding explains."""
    largest: float
    """The largest difference of a score or number, relative to its size where that is above 1."""
    milliseconds: list[float]
    """Of each request."""

    @property
    def agreement(self) -> float:
        """The share of rows that the two predict alike, in [0, 1]."""
        return 1 - float(np.mean(self.differing))


def compare(infer: Infer, predict: Predict, kind: str, feeds: Feeds, batch: int) -> Compared:
    """Send the rows of ``feeds``, ``batch`` at a time, and compare the answers.

    ``kind`` is what the rows are called, as in :class:`PredictedRows`.

    Raises:
        ServerError: the endpoint does not answer, or refuses rows.
    """
    answers = [infer(part) for part in in_batches(feeds, batch)]
    here, there = predict(feeds), Predictions.joined([each.predictions for each in answers])
    apart = relative_differences(numbers(here), numbers(there))
    differing = apart > TOLERANCE
    if here.scores is not None:
        differing |= here.values != there.values
    times = [each.milliseconds for each in answers]
    return Compared(PredictedRows(kind, feeds, [here, there]), differing, float(apart.max()), times)


def in_batches(feeds: Feeds, batch: int) -> Iterator[Feeds]:
    """Yield all rows, ``batch`` at a time; the last part may be smaller."""
    rows = len(next(iter(feeds.values())))
    for start in range(0, rows, batch):
        yield take(feeds, np.arange(start, min(start + batch, rows)))


def latency(infer: Infer, feeds: Feeds, batch: int, requests: int) -> dict[str, float]:
    """Return percentiles, in ms, of as many requests of ``batch`` rows, one after another.

    Raises:
        ServerError: as :func:`compare`.
    """
    rows = len(next(iter(feeds.values())))
    times = []
    for number in range(WARM_UP + requests):
        part = take(feeds, np.arange(number * batch, (number + 1) * batch) % rows)
        times.append(infer(part).milliseconds)
    found = np.percentile(times[WARM_UP:], PERCENTILES)
    return {f"p{share}": float(value) for share, value in zip(PERCENTILES, found, strict=True)}
