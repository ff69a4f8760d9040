"""What a model computes for one row: steps, each from the numbers of earlier ones to its own.

A step has ``size`` numbers. What only moves numbers (a transpose, a selection of columns) is no
step: a :class:`Value` says where in a step each of its numbers is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.errors import UserError
from onnxpress.graph.trees.forest import Forest

Floats = NDArray[np.float32]
Codes = NDArray[np.int8]


class NoBody(UserError):
    """The model cannot be written without a runtime; the line names the node and says why."""


@dataclass(frozen=True, eq=False)
class Step:
    """``size`` numbers of a row."""

    size: int

    @property
    def sources(self) -> tuple[Step, ...]:
        """The steps that it reads."""
        return ()

    @property
    def is_rounded(self) -> bool:
        """Whether onnxruntime rounds in another order, or has other functions."""
        return False


@dataclass(frozen=True, eq=False)
class Value:
    """An ONNX value of one row: the place of each of its numbers in ``step``."""

    step: Step
    place: NDArray[np.intp]

    @property
    def is_whole(self) -> bool:
        """Whether it is all numbers of the step in their order."""
        return np.array_equal(self.place.ravel(), np.arange(self.step.size))


@dataclass(frozen=True, eq=False)
class Inputs(Step):
    """The numbers of the row itself, with their names."""

    names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class OfOne(Step):
    """A step that reads one other."""

    source: Step

    @property
    def sources(self) -> tuple[Step, ...]:
        """See Step."""
        return (self.source,)


@dataclass(frozen=True, eq=False)
class Joined(Step):
    """Numbers of other steps side by side."""

    parts: tuple[Value, ...]

    @property
    def sources(self) -> tuple[Step, ...]:
        """See Step."""
        return tuple(part.step for part in self.parts)


@dataclass(frozen=True, eq=False)
class Arithmetic(OfOne):
    """``source operator constant`` for each number, or the other way round if ``swapped``."""

    operator: str
    """+, -, *, /, max or min."""
    constant: Floats  # (size,)
    swapped: bool = False


@dataclass(frozen=True, eq=False)
class Filled(OfOne):
    """``constant`` where the source is ``missing``, which may be NaN."""

    missing: float
    constant: Floats  # (size,)


@dataclass(frozen=True, eq=False)
class Activation(OfOne):
    """A function of each number: relu, logistic or tanh."""

    function: str

    @property
    def is_rounded(self) -> bool:
        """See Step."""
        return self.function != "relu"


@dataclass(frozen=True, eq=False)
class Softmax(OfOne):
    """Shares of the exponentials."""

    @property
    def is_rounded(self) -> bool:
        """See Step."""
        return True


@dataclass(frozen=True, eq=False)
class Shares(OfOne):
    """Each number over the sum of their sizes; as they are where that is 0."""

    @property
    def is_rounded(self) -> bool:
        """See Step."""
        return True


@dataclass(frozen=True, eq=False)
class Total(OfOne):
    """The sum of all numbers."""

    @property
    def is_rounded(self) -> bool:
        """See Step."""
        return True


@dataclass(frozen=True, eq=False)
class Quotient(OfOne):
    """Each number over the only one of ``divisor``."""

    divisor: Step

    @property
    def sources(self) -> tuple[Step, ...]:
        """See Step."""
        return self.source, self.divisor


@dataclass(frozen=True, eq=False)
class Dense(OfOne):
    """``source @ weights + bias``; weights are ``codes * step`` if there are codes."""

    weights: Floats  # (inputs, size)
    bias: Floats  # (size,)
    codes: Codes | None = None
    step: Floats | None = None  # (size,)

    @property
    def is_rounded(self) -> bool:
        """See Step."""
        return True


@dataclass(frozen=True, eq=False)
class Trees(OfOne):
    """Sums of leaves in float32, tree after tree; base values are added at the end.

    Splits compare with LEQ, LT, GTE and GT; their features are numbers of ``source``.
    """

    forest: Forest


@dataclass(frozen=True, eq=False)
class LeafSums(OfOne):
    """Sums of int8 leaves over oblivious trees, whole numbers; see ``oblivious``.

    Bit ``l`` of a leaf's number is whether ``source[feature] < threshold`` at level ``l``.
    """

    feature: NDArray[np.intp]  # (trees, depth)
    threshold: Floats  # (trees, depth)
    table: Codes  # (trees, 2 ** depth, size)


@dataclass(frozen=True, eq=False)
class Scaled(OfOne):
    """``source[column] * scale + offset``; float32 holds the product exactly."""

    source: LeafSums
    column: NDArray[np.intp]  # (size,)
    scale: Floats  # (size,)
    offset: Floats  # (size,)


@dataclass(frozen=True, eq=False)
class Program:
    """A model of one row."""

    inputs: Inputs
    result: Step
    """Probabilities, scores or predictions."""
    name: str
    """Its name in the model: probabilities, scores or prediction."""
    chosen: Step | None = None
    """The label is that of its first greatest number; None for regression."""
    classes: NDArray[np.int64] | tuple[str, ...] = ()

    def steps(self, *ends: Step) -> list[Step]:
        """Return the steps that ``ends`` need, each behind what it reads; the inputs are first."""
        found: dict[Step, None] = {self.inputs: None}
        for end in ends:
            found.update(dict.fromkeys(_needed(end)))
        return list(found)

    @property
    def is_exact(self) -> bool:
        """Whether all numbers are those of onnxruntime to the last bit.

        Products and functions of a dense layer or a softmax are rounded in another order there.
        """
        return not any(step.is_rounded for step in self.steps(self.result))

    @property
    def chooses_exactly(self) -> bool:
        """Whether that is so of the numbers that the label is chosen from."""
        end = self.result if self.chosen is None else self.chosen
        return not any(step.is_rounded for step in self.steps(end))

    def thresholds(self) -> Iterator[tuple[int, Any]]:
        """Yield each input that is compared, and the float32 numbers that it is compared with."""
        for step in self.steps(self.result):
            if isinstance(step, Trees | LeafSums) and step.source is self.inputs:
                feature = step.forest.feature if isinstance(step, Trees) else step.feature
                threshold = step.forest.threshold if isinstance(step, Trees) else step.threshold
                for column in np.unique(feature):
                    yield int(column), np.unique(threshold[feature == column])


def _needed(step: Step) -> Iterator[Step]:
    for source in step.sources:
        yield from _needed(source)
    yield step
