"""What a model predicts for some rows, whichever library runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.errors import UserError
from onnxpress.tables.mapped import joined, room, where
from onnxpress.tables.rows import Feeds


@dataclass(frozen=True)
class Predictions:
    """What a model predicts for some rows."""

    values: NDArray[Any]
    """Labels (int64 or str) or numbers (float64), (rows,); of several targets float64 (rows,
    targets)."""
    scores: NDArray[np.float64] | None
    """(rows, classes), None for regression: probabilities, or decision scores of a classifier
    without them. The greatest score of a row is the label's, unless the classifier decides by
    another rule: a threshold of its own between two classes, or the votes of an SVC. An SVC with
    ``decision_function_shape="ovo"`` has a column for each pair of three and more classes instead.
    """
    proper: bool = True
    """Whether the scores are probabilities."""

    @property
    def width(self) -> int:
        """How many numbers or labels a row has."""
        return 1 if self.values.ndim == 1 else self.values.shape[1]

    def take(self, index: NDArray[Any] | slice) -> Predictions:
        """Return the predictions of some rows: their positions, a mask (rows,), or a slice."""

        def part(array: NDArray[Any]) -> NDArray[Any]:
            if isinstance(index, np.ndarray) and index.dtype == np.bool_:
                return where(array, index)
            return array[index]

        scores = None if self.scores is None else part(self.scores)
        return replace(self, values=part(self.values), scores=scores)

    def spread(self, own: Sequence[Any], classes: Sequence[Any]) -> Predictions:
        """Return the predictions with a column of scores for each of ``classes``.

        ``own`` are the classes of the columns that there are. A class that is not among them has
        probability 0, or a decision score below every other.

        Raises:
            ValueError: a class of ``own`` is not among ``classes``.
        """
        if self.scores is None or list(own) == list(classes):
            return self
        # Not minus infinity, which scikit-learn's scorers refuse.
        lowest = 0.0 if self.proper else float(self.scores.min(initial=0.0)) - 1.0
        scores = room((len(self.values), len(classes)), np.float64)
        scores[:] = lowest
        for column, label in zip(self.scores.T, own, strict=True):
            scores[:, list(classes).index(label)] = column
        return replace(self, scores=scores)

    @staticmethod
    def joined(parts: Sequence[Predictions]) -> Predictions:
        """Return the predictions of several sets of rows, one after another.

        Raises:
            ValueError: there are no parts, or their columns of scores differ.
        """
        if not parts:
            raise ValueError("there should be predictions to join, got none")
        widths = {None if part.scores is None else part.scores.shape[1:] for part in parts}
        if len(widths) > 1 or len({part.proper for part in parts}) > 1:
            raise ValueError("predictions to join should have the same columns of scores")
        return Predictions.stacked(parts, sum(len(part.values) for part in parts))

    @staticmethod
    def stacked(parts: Iterable[Predictions], rows: int) -> Predictions:
        """Return the predictions of ``rows`` rows, of which a model predicts some at a time.

        Raises:
            ValueError: there are no parts.
        """
        proper = True

        def arrays() -> Iterator[list[NDArray[Any]]]:
            nonlocal proper
            for part in parts:
                proper = part.proper
                yield [part.values] if part.scores is None else [part.values, part.scores]

        values, *scores = joined(arrays(), rows)
        return Predictions(values, scores[0] if scores else None, proper)


Predict = Callable[[Feeds], Predictions]
"""How a model predicts rows, whichever library runs it."""


def as_labels(values: NDArray[Any]) -> NDArray[Any]:
    """Return labels as int64 or str (rows,), whichever container they came in.

    Whole floats, the classes of a float target, become int64 too.
    """
    flat = np.asarray(values).reshape(-1)
    kind = flat.dtype.kind
    whole = kind in "biu" or (kind == "f" and np.array_equal(flat, np.trunc(flat)))
    return flat.astype(np.int64 if whole else str, copy=False)


def as_column(values: Any) -> NDArray[Any]:
    """Return values (rows,) or (rows, 1) as (rows,): one minus the other would be (rows, rows).

    Raises:
        UserError: there is more than one value per row.
    """
    array = np.asarray(values)
    if array.ndim > 1 and array.shape[1:] != (1,) * (array.ndim - 1):
        raise UserError(f"the model should predict one value per row, got the shape {array.shape}")
    return array.reshape(-1)


def as_numbers(values: Any) -> NDArray[np.float64]:
    """Return what a regressor predicts as float64, (rows,), or (rows, targets) of several targets.

    Raises:
        UserError: a row has a table of numbers.
    """
    array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] > 1:
        return array.astype(np.float64)
    return as_column(array).astype(np.float64)


def in_any_column(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the flags of rows, (rows,): set where one of (rows, columns) is."""
    return np.asarray(flags if flags.ndim == 1 else flags.any(axis=1))
