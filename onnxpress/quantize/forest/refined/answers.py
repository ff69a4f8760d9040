"""From the scores of a refined forest to its outputs: labels by a threshold, a least answer.

Most classifiers give a row its most probable class. One behind a threshold (scikit-learn's
FixedThresholdClassifier, TunedThresholdClassifierCV) gives two classes another rule: the second
where its probability is t or more. That is the greater of ``t * p0`` and ``(1 - t) * p1`` (Elkan,
"The foundations of cost-sensitive learning", 2001, section 1.2), so one product in front of the
choice of the greatest does it.

A regressor whose answers are all positive (counts, prices, durations) may be judged by a
logarithm or a deviance that other numbers have none of. A sum of trees that only comes near to it
could dip below, so it is held at the least positive answer that was seen.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.graph.writer import Writer
from onnxpress.quantize.forest.refined.losses import Matrix
from onnxpress.quantize.forest.refined.oblivious import ObliviousForest

_ROUNDING = 1e-6
"""Of probabilities: so close to a threshold a row may lie on either side."""


@dataclass(frozen=True)
class Answers:
    """What follows from scores."""

    labels: NDArray[Any] | None
    """The classes, (classes,) int64 or object; None for regression."""
    threshold: float | None = None
    """Two classes: the probability of the second from which it is the label. None: one half."""
    floors: tuple[float, ...] | None = None
    """Regression: the least answer for each target whose answers are all positive, minus infinity
    for the others; None if there are only others."""

    def write_labels(self, writer: Writer, scores: str, probabilities: str, output: str) -> None:
        """Write the labels; ``scores`` and ``probabilities`` are (rows, classes)."""
        if self.labels is None:
            raise ValueError("a regressor has no labels")
        if self.threshold is not None:
            weights = np.array([self.threshold, 1 - self.threshold], np.float32)
            scores = writer.add("Mul", probabilities, writer.constant(weights))
        writer.labels(scores, self.labels, output)

    def needed_floor(self, forest: ObliviousForest) -> NDArray[np.float32] | None:
        """The floors, (columns,), if the trees may add up to 0 or less; else None."""
        if self.floors is None:
            return None
        floors = np.array(self.floors, np.float32)
        return floors if (lowest(forest)[np.isfinite(floors)] <= 0).any() else None


def lowest(forest: ObliviousForest) -> NDArray[np.float64]:
    """A bound below all scores of ``forest``, (columns,): each tree at its least leaf."""
    least = forest.table.min(axis=1).sum(axis=0, dtype=np.int64)
    return np.asarray(least * forest.scale.astype(np.float64) + forest.offset)


def floors_of(answers: Matrix) -> tuple[float, ...] | None:
    """The least positive one of each column of ``answers`` (rows, columns) without negative ones.

    Minus infinity for other columns; None if all are such.

    >>> floors_of(np.array([[0.5], [0.0], [2.0]]))
    (0.5,)
    >>> floors_of(np.array([[0.5], [-0.1]])) is None
    True
    >>> floors_of(np.array([[0.5, 1.0], [0.25, -1.0]]))
    (0.25, -inf)
    """
    found = []
    for column in answers.T:
        positive = column[column > 0]
        whole = len(positive) > 0 and column.min() >= 0
        found.append(float(positive.min()) if whole else -np.inf)
    return tuple(found) if np.isfinite(found).any() else None


def threshold_of(
    second: NDArray[np.bool_], probability: NDArray[np.float64], constants: Iterable[float]
) -> float | None:
    """The threshold on the second class's ``probability`` that explains who gets it as a label.

    Both arrays are (rows,). None if there is none. Where several would do, it is a constant of the
    model (or 1 minus one: a threshold on the first class), else the middle. The first two rows get
    the first class, the last the second, so the threshold is above 0.2 and at most 0.4:

    >>> second, probability = np.array([False, False, True]), np.array([0.1, 0.2, 0.4])
    >>> threshold_of(second, probability, constants=[])
    0.3
    >>> threshold_of(second, probability, constants=[1.0, 0.25])
    0.25
    >>> threshold_of(~second, probability, constants=[]) is None
    True
    """
    low = float(probability[~second].max(initial=0.0))
    high = float(probability[second].min(initial=1.0))
    if low > high + _ROUNDING:
        return None
    constants = [value for value in constants if 0 < value < 1]
    for value in [*constants, *(1 - value for value in constants)]:
        if low - _ROUNDING < value < high + _ROUNDING:
            return value
    return round(0.5 * (low + high), 9)
