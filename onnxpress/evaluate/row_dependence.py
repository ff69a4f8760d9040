"""Whether a model's answer to a row depends on the other rows of the same call.

A served model is asked about whatever rows come together. One int8 scale for all rows of a
call, a softmax over the wrong axis or a mean over the batch give another answer to the same
row in other company, and no metric on a whole test set shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxpress.runtime.predictions import Predictions
from onnxpress.tables.rows import Feeds, take

Ask = Callable[[Feeds], Predictions]

ROWS = 256
"""Rows asked one by one and in one call."""
COMPANY = 32
"""Rows asked beside an outlier."""
CELLS = 16
"""Cells that take turns to hold the outlier."""
OUTLIER = 1e4
STRANGE_TEXT = "a text never seen " * 100
TOLERANCE = 1e-5
"""Largest difference of a score, over max(1, |score|), that counts as rounding.

Matrix products add the same float32 terms in another order for another number of rows. For n
terms of one size that moves the sum by about sqrt(n) * 6e-8 of itself: 1e-5 covers 30,000.
Predictions of a regressor are compared on the scale of the largest one.
"""


@dataclass(frozen=True)
class Dependence:
    """The largest difference between a row's answer alone and in company, and where it was."""

    difference: float
    rows: int
    asked: int
    company: str

    def __str__(self) -> str:
        share = f"{self.rows} of {self.asked} rows"
        return (
            f"{share} get another answer {self.company} than alone, by up to {self.difference:.2g}"
        )


def row_dependence(ask: Ask, feeds: Feeds, tolerance: float = TOLERANCE) -> Dependence:
    """Ask about rows one by one, all in one call, and beside outliers; return the worst case.

    ``rows`` of the result counts the rows beyond ``tolerance``. A row with an outlier that the
    model refuses is left out: that call ends with an error, not with a wrong answer.
    """
    size = len(next(iter(feeds.values())))
    rows = take(feeds, np.linspace(0, size - 1, min(size, ROWS)).astype(np.intp))
    alone = _one_by_one(ask, rows)
    worst = _compare(alone, ask(rows), tolerance, "in one call with the others")
    for words, outlier in _outliers(rows):
        found = _beside(ask, rows, outlier)
        if found is not None:
            worst = max(
                worst,
                _compare(alone, found, tolerance, f"beside {words}"),
                key=lambda item: item.difference,
            )
    return worst


def _one_by_one(ask: Ask, rows: Feeds) -> Predictions:
    size = len(next(iter(rows.values())))
    return _joined([ask(take(rows, np.array([row]))) for row in range(size)])


def _joined(answers: list[Predictions]) -> Predictions:
    values = np.concatenate([answer.values for answer in answers])
    scores = [answer.scores for answer in answers if answer.scores is not None]
    return Predictions(values, np.concatenate(scores) if scores else None, answers[0].proper)


def _beside(ask: Ask, rows: Feeds, outlier: Feeds) -> Predictions | None:
    """The answers to the first ``COMPANY`` rows with ``outlier`` in their middle."""
    size = min(COMPANY, len(next(iter(rows.values()))))
    half, index = size // 2, np.arange(size)
    parts = [take(rows, index[:half]), outlier, take(rows, index[half:])]
    together = {name: np.concatenate([part[name] for part in parts]) for name in rows}
    try:
        answer = ask(together)
    except Exception:  # runtimes and estimators refuse a row in whichever way
        return None
    kept = np.delete(np.arange(size + 1), half)
    scores = None if answer.scores is None else answer.scores[kept]
    return Predictions(answer.values[kept], scores, answer.proper)


def _outliers(rows: Feeds) -> Iterator[tuple[str, Feeds]]:
    """Rows (one each) that differ from the first in one cell, or in all, and what they are."""
    first = take(rows, np.array([0]))
    numbers = [name for name, values in first.items() if values.dtype.kind == "f"]
    cells = [(name, column) for name in numbers for column in range(first[name].shape[1])]
    for number in np.unique(np.linspace(0, len(cells) - 1, min(CELLS, len(cells))).astype(int)):
        name, column = cells[number]
        changed = {key: values.copy() for key, values in first.items()}
        changed[name][0, column] = OUTLIER if number % 2 == 0 else -OUTLIER
        yield "a row with an outlier", changed
    for value in (OUTLIER, np.nan):
        filled = {name: np.full_like(first[name], value) for name in numbers}
        yield (
            ("a row of outliers" if np.isfinite(value) else "a row of missing numbers"),
            first | filled,
        )
    texts = {
        name: np.full_like(first[name], STRANGE_TEXT, dtype=object)
        for name in first.keys() - set(numbers)
    }
    if texts:
        yield "a row of strange texts", first | texts


def _compare(
    alone: Predictions, together: Predictions, tolerance: float, company: str
) -> Dependence:
    differences = _differences(alone, together)
    moved = int((differences > tolerance).sum())
    return Dependence(float(differences.max()), moved, len(differences), company)


def _differences(alone: Predictions, together: Predictions) -> NDArray[np.float64]:
    """How far each row moved, (rows,): relative, infinite where it has another label or NaN.

    ``alone`` may hold more rows than ``together``; the first ones are compared.
    """
    size = len(together.values)
    if together.scores is None or alone.scores is None:
        values = alone.values[:size]
        largest = np.max(np.abs(values[np.isfinite(values)]), initial=0)
        return _gaps(values, together.values) / (largest or 1)
    scores = alone.scores[:size]
    moved = (_gaps(scores, together.scores) / np.maximum(1, np.abs(np.nan_to_num(scores)))).max(
        axis=1
    )
    flipped = alone.values[:size] != together.values
    return np.where(flipped & ~_tied(scores), np.inf, moved)


def _gaps(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Absolute differences; 0 between equal infinities or two NaN, infinite if one is NaN."""
    with np.errstate(invalid="ignore"):
        gaps = np.where(one == other, 0.0, np.abs(one - other))
    gaps[np.isnan(one) & np.isnan(other)] = 0
    return np.where(np.isnan(gaps), np.inf, gaps)


def _tied(scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether the two best scores of a row are equal but for rounding, (rows,)."""
    pair = np.hstack([-scores, scores]) if scores.shape[1] == 1 else scores
    best = np.sort(pair, axis=1)[:, -2:]
    tied: NDArray[np.bool_] = best[:, 1] - best[:, 0] <= 2 * TOLERANCE * np.maximum(
        1, np.abs(best[:, 1])
    )
    return tied
