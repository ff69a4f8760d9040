"""The operators of a refined forest as one step.

``onnxpress.quantize.forest.refined.sum_of_leaves`` writes them: Gather and Less ask questions, a
product with (1, 2, 4, ...) numbers the leaves, a Gather or GatherElements reads the leaf table, and
a ReduceSum or a Gemm adds up. Each is a kind of number here, from :class:`Asked` to
:class:`Looked`; only their sum becomes a step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxpress.bodies.constants import Constant
from onnxpress.bodies.steps import Codes, Floats, LeafSums, Scaled, Step, Value

_FLOAT32_WHOLE = 2**24
"""Up to here float32 holds all whole numbers."""


class Unlike(Exception):
    """The operators are not those of a refined forest; the message says in what."""


@dataclass(frozen=True, eq=False)
class Asked(Step):
    """Answers, 0 or 1, to ``source[feature] < threshold``."""

    source: Step
    feature: NDArray[np.intp]  # (size,)
    threshold: Floats  # (size,)


@dataclass(frozen=True, eq=False)
class Numbered(Step):
    """Numbers of leaves: the bits are the answers, plus ``first``."""

    source: Step
    feature: NDArray[np.intp]  # (size, depth)
    threshold: Floats  # (size, depth)
    first: NDArray[np.int64]  # (size,)


@dataclass(frozen=True, eq=False)
class Looked(Step):
    """What is in a table at the numbers: ``codes[number] * step``."""

    numbers: Numbered
    tree: NDArray[np.intp]  # (size,) which of the numbers
    codes: Codes  # (size, 2 ** depth)
    step: Floats  # (size,)


def asked(value: Value, thresholds: NDArray[np.float32]) -> Value:
    """Answers to ``value < thresholds``."""
    place, threshold = np.broadcast_arrays(value.place, thresholds)
    found = Asked(place.size, value.step, place.ravel(), threshold.ravel())
    return Value(found, np.arange(place.size).reshape(place.shape))


def numbered(bits: NDArray[np.generic], value: Value) -> Value:
    """The product of ``bits`` (columns, depth) and answers (depth, trees)."""
    answers, (depth, trees) = value.step, value.place.shape
    if not isinstance(answers, Asked) or not (bits == 1 << np.arange(depth)).all():
        raise Unlike("its factor is not 1, 2, 4 and so on")
    place = np.tile(value.place.T, (len(bits), 1))
    first = np.zeros(len(place), np.int64)
    found = Numbered(
        len(place), answers.source, answers.feature[place], answers.threshold[place], first
    )
    return Value(found, np.arange(len(place)).reshape(len(bits), trees))


def moved(value: Value, first: NDArray[np.int64]) -> Value:
    """Numbers of leaves plus those of the ``first`` leaves of their trees."""
    old = value.step
    if not isinstance(old, Numbered):
        raise Unlike("it adds to what is not the number of a leaf")
    place, more = np.broadcast_arrays(value.place, first)
    at = place.ravel()
    parts = old.feature[at], old.threshold[at], old.first[at] + more.ravel()
    return Value(
        Numbered(place.size, old.source, *parts), np.arange(place.size).reshape(place.shape)
    )


def rows_of_table(table: Constant, value: Value) -> Value:
    """Rows of a table (leaves of all trees, columns) at the numbers ``value``."""
    numbers, codes, step = _parts(table, value)
    leaves = 1 << numbers.feature.shape[1]
    at = value.place.ravel()
    rows = numbers.first[at][:, None] + np.arange(leaves)
    if rows.max() >= len(codes):
        raise Unlike("its table has fewer rows than there are leaves")
    taken = codes[rows].transpose(0, 2, 1)  # (numbers, columns, leaves)
    steps = np.tile(step[0], len(at))
    tree = np.repeat(at, codes.shape[1])
    found = Looked(tree.size, numbers, tree, taken.reshape(tree.size, leaves), steps)
    return Value(found, np.arange(tree.size).reshape(*value.place.shape, codes.shape[1]))


def elements_of_table(table: Constant, value: Value) -> Value:
    """Elements of a table (..., leaves) at the numbers ``value`` (..., 1)."""
    numbers, codes, step = _parts(table, value)
    leaves = 1 << numbers.feature.shape[1]
    at = value.place.ravel()
    if codes.shape != (*value.place.shape[:-1], leaves) or numbers.first[at].any():
        raise Unlike("its table does not have the shape of the trees")
    if (step != step[..., :1]).any():
        raise Unlike("leaves of a tree have several steps")
    found = Looked(at.size, numbers, at, codes.reshape(-1, leaves), step[..., 0].ravel())
    return Value(found, np.arange(at.size).reshape(value.place.shape))


def _parts(table: Constant, value: Value) -> tuple[Numbered, Codes, Floats]:
    """The numbers, and the codes of a table with the step of each."""
    if not isinstance(value.step, Numbered):
        raise Unlike("it looks up what is not the number of a leaf")
    if table.codes is None or table.step is None:
        raise Unlike("its table is not stored as int8")
    step = np.broadcast_to(np.asarray(table.step, np.float32), table.codes.shape)
    return value.step, table.codes, step


def total(value: Value, axis: int) -> Value:
    """The sum of looked up numbers along ``axis``."""
    place = np.moveaxis(value.place, axis, 0)
    rest = place.shape[1:]
    sums, step = _sums(value.step, place.reshape(len(place), -1))
    columns = np.arange(sums.size)
    found = Scaled(sums.size, sums, columns, step, np.zeros(sums.size, np.float32))
    return Value(_exact(found), columns.reshape(rest))


def weighted(value: Value, scales: Floats, offset: Floats) -> Value:
    """The sums of looked up numbers (trees, 1), times a scale for each column, plus an offset."""
    if (scales != scales[:1]).any() or value.place.shape != (len(scales), 1):
        raise Unlike("its trees have several scales")
    sums, step = _sums(value.step, value.place)
    scale = (step * scales[0]).astype(np.float32)
    column = np.zeros(len(scale), np.intp)
    offset = np.broadcast_to(offset, scale.shape).astype(np.float32)
    found = _exact(Scaled(len(scale), sums, column, scale, offset))
    return Value(found, np.arange(found.size)[None, :])


def _sums(looked: Step, place: NDArray[np.intp]) -> tuple[LeafSums, Floats]:
    """The sum of each column of ``place`` (trees, columns), in whole numbers, and their steps."""
    if not isinstance(looked, Looked):
        raise Unlike("it adds up what is not looked up")
    numbers = looked.numbers
    feature, threshold = numbers.feature[looked.tree[place]], numbers.threshold[looked.tree[place]]
    alike = (feature == feature[:, :1]).all() and (threshold == threshold[:, :1]).all()
    step = looked.step[place]
    if not alike or (step != step[:1]).any():
        raise Unlike("its columns are not of the same trees with one step each")
    table = looked.codes[place].transpose(0, 2, 1)
    sums = LeafSums(place.shape[1], numbers.source, feature[:, 0], threshold[:, 0], table)
    return sums, step[0]


def _exact(found: Scaled) -> Scaled:
    """``found``, if float32 holds each of its sums with and without the offset exactly."""
    most = np.abs(found.source.table.astype(np.int64)).max(axis=1).sum(axis=0)[found.column]
    unit = unit_of(found.scale)
    unit = np.where(found.offset, np.minimum(unit, unit_of(found.offset)), unit)
    whole = (most * np.abs(found.scale) + np.abs(found.offset)) / unit
    if (whole > _FLOAT32_WHOLE).any():
        raise Unlike("sums of its leaves are rounded, and depend on their order")
    return found


def unit_of(scale: Floats) -> NDArray[np.float64]:
    """The greatest power of two that each of ``scale`` is a whole multiple of.

    >>> unit_of(np.float32([0.75, 3])).tolist()
    [0.25, 1.0]
    """
    mantissa, exponent = np.frexp(scale.astype(np.float64))
    whole = np.abs(np.ldexp(mantissa, 24)).astype(np.int64)
    lowest = np.maximum(whole & -whole, 1)
    return np.asarray(np.ldexp(lowest.astype(np.float64), exponent - 24))
