"""Whether a model's prediction for a row depends on the other rows of the same call.

A served model gets whatever rows come together. One int8 scale for all rows of a call, a softmax
over the wrong axis or a mean over the batch change the prediction for a row with the rows beside
it, and no metric on a whole test set shows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxpress.evaluate.relative_differences import at_threshold, numbers
from onnxpress.runtime.predictions import Predict, Predictions
from onnxpress.tables.rows import Feeds, take

ROWS = 256
"""Rows predicted one by one and in one call."""
BESIDE_OUTLIER = 32
"""Rows predicted beside an outlier."""
CELLS = 16
"""Cells that take turns to hold the outlier."""
OUTLIER = 1e4
STRANGE_TEXT = "a text never seen " * 100
TOLERANCE = 1e-5
"""Largest difference of a score, over max(1, |score|), that counts as rounding.

Matrix products add the same float32 terms in another order for another number of rows. For n
terms of one size that moves the sum by about sqrt(n) * 6e-8 of itself: 1e-5 covers 30,000 terms.
Predictions of a regressor are compared on the scale of the largest one.
"""


@dataclass(frozen=True)
class Dependence:
    """The largest difference between predicting a row alone and among others."""

    difference: float
    """Relative to max(1, |score|); infinite if the label changes."""
    rows: int
    """Rows that differ beyond the tolerance, of all that were ``compared``."""
    compared: int
    others: str
    """The other rows of the call, in words."""

    def __str__(self) -> str:
        share = f"{self.rows} of {self.compared} rows"
        where = f"{self.others} than alone"
        return f"{share} get another answer {where}, by up to {self.difference:.2g}"


def row_dependence(predict: Predict, feeds: Feeds, tolerance: float = TOLERANCE) -> Dependence:
    """Predict rows one by one, all in one call, and beside outliers; return the worst case.

    ``rows`` of the result counts the rows beyond ``tolerance``. A row with an outlier that the
    model refuses is left out: that call ends with an error, not with a wrong answer.
    """
    size = len(next(iter(feeds.values())))
    rows = take(feeds, np.linspace(0, size - 1, min(size, ROWS)).astype(np.intp))
    alone = _one_by_one(predict, rows)
    worst = _compare(alone, predict(rows), tolerance, "in one call with the others")
    for words, outlier in _outliers(rows):
        found = _beside(predict, rows, outlier)
        if found is not None:
            other = _compare(alone, found, tolerance, f"beside {words}")
            worst = max(worst, other, key=lambda item: item.difference)
    return worst


def _one_by_one(predict: Predict, rows: Feeds) -> Predictions:
    size = len(next(iter(rows.values())))
    return _joined([predict(take(rows, np.array([row]))) for row in range(size)])


def _joined(parts: list[Predictions]) -> Predictions:
    values = np.concatenate([part.values for part in parts])
    scores = [part.scores for part in parts if part.scores is not None]
    return Predictions(values, np.concatenate(scores) if scores else None, parts[0].proper)


def _beside(predict: Predict, rows: Feeds, outlier: Feeds) -> Predictions | None:
    """Predict the first ``BESIDE_OUTLIER`` rows with ``outlier`` in their middle."""
    size = min(BESIDE_OUTLIER, len(next(iter(rows.values()))))
    half, index = size // 2, np.arange(size)
    parts = [take(rows, index[:half]), outlier, take(rows, index[half:])]
    together = {name: np.concatenate([part[name] for part in parts]) for name in rows}
    try:
        found = predict(together)
    except Exception:  # runtimes and estimators refuse a row in whichever way
        return None
    kept = np.delete(np.arange(size + 1), half)
    scores = None if found.scores is None else found.scores[kept]
    return Predictions(found.values[kept], scores, found.proper)


def _outliers(rows: Feeds) -> Iterator[tuple[str, Feeds]]:
    """Yield rows, one each, that differ from the first in one cell or in all, and their names.

    Of a tensor of whole numbers, the row of zeros and that of the largest values are outliers.
    """
    first = take(rows, np.array([0]))
    whole = {name: values for name, values in rows.items() if values.dtype.kind in "iu"}
    for what, share in (("zeros", 0), ("the largest numbers", 1)) if whole else ():
        filled = {
            name: np.full_like(first[name], share * values.max()) for name, values in whole.items()
        }
        yield f"a row of {what}", first | filled
    numbers = [name for name, values in first.items() if values.dtype.kind == "f"]
    yield from _one_cell_each(first, numbers)
    for what, value in (("outliers", OUTLIER), ("missing numbers", np.nan)):
        filled = {name: np.full_like(first[name], value) for name in numbers}
        yield f"a row of {what}", first | filled
    texts = {}
    for name in first.keys() - {*numbers, *whole}:
        texts[name] = np.full_like(first[name], STRANGE_TEXT, dtype=object)
    if texts:
        yield "a row of strange texts", first | texts


def _one_cell_each(first: Feeds, numbers: list[str]) -> Iterator[tuple[str, Feeds]]:
    """Yield the ``first`` row with an outlier in one cell, for up to ``CELLS`` of its cells."""
    cells = [(name, column) for name in numbers for column in range(first[name].size)]
    # 3 of 40 cells: linspace(0, 39, 3) is 0, 19.5, 39, which tries cells 0, 19 and 39
    tried = np.linspace(0, len(cells) - 1, min(CELLS, len(cells))).astype(int)
    for number in np.unique(tried):
        name, column = cells[number]
        changed = {key: values.copy() for key, values in first.items()}
        changed[name].reshape(-1)[column] = OUTLIER if number % 2 == 0 else -OUTLIER
        yield "a row with an outlier", changed


def _compare(
    alone: Predictions, together: Predictions, tolerance: float, others: str
) -> Dependence:
    differences = _differences(alone, together)
    moved = int((differences > tolerance).sum())
    return Dependence(float(differences.max()), moved, len(differences), others)


def _differences(alone: Predictions, together: Predictions) -> NDArray[np.float64]:
    """Return how far each row moved, (rows,): relative, infinite for another label or NaN.

    ``alone`` may hold more rows than ``together``; the first ones are compared.
    """
    size = len(together.values)
    if together.scores is None or alone.scores is None:
        values = numbers(alone)[:size]
        finite = np.where(np.isfinite(values), np.abs(values), 0)
        largest = finite.max(axis=0, initial=0)
        gaps = _gaps(values, numbers(together)) / np.where(largest, largest, 1)
        return np.asarray(gaps.max(axis=1))
    scores = alone.scores[:size]
    sizes = np.maximum(1, np.abs(np.nan_to_num(scores)))
    moved = (_gaps(scores, together.scores) / sizes).max(axis=1)
    flipped = alone.values[:size] != together.values
    first = Predictions(alone.values[:size], scores, alone.proper)
    tied = _tied(scores) | at_threshold(first, together, 2 * TOLERANCE)
    return np.where(flipped & ~tied, np.inf, moved)


def _gaps(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return absolute differences: 0 between equal infinities or two NaN, infinite for one NaN."""
    with np.errstate(invalid="ignore"):
        gaps = np.where(one == other, 0.0, np.abs(one - other))
    gaps[np.isnan(one) & np.isnan(other)] = 0
    return np.where(np.isnan(gaps), np.inf, gaps)


def _tied(scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Flag the rows, (rows,), whose two highest scores are equal within rounding."""
    pair = np.hstack([-scores, scores]) if scores.shape[1] == 1 else scores
    second, first = np.sort(pair, axis=1)[:, -2:].T
    return np.asarray(first - second <= 2 * TOLERANCE * np.maximum(1, np.abs(first)))
