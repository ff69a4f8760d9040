"""How far a body may be from onnxruntime, row by row.

Both round products and functions of dense layers, in different orders. With n terms each result is
within ``n * u / (1 - n * u)`` times the sum of their sizes, u = 2^-24 (Higham, "Accuracy and
stability of numerical algorithms", 2002, section 3.1). From there on errors are carried along, to
first order. Everything else is equal to the last bit, so it adds nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.bodies.steps import (
    Activation,
    Arithmetic,
    Dense,
    Filled,
    Inputs,
    Joined,
    LeafSums,
    Program,
    Quotient,
    Scaled,
    Shares,
    Softmax,
    Step,
    Total,
    Trees,
)
from onnxpress.graph.trees.forest import leaf_index

UNIT = 2.0**-24
FUNCTIONS = 1e-6
"""Bound on the error of exponentials, in shares of 1: that of onnxruntime's and of ours."""


@dataclass(frozen=True)
class Numbers:
    """Numbers of rows and how far two bodies may be apart in them, (rows, size) float64 each."""

    values: NDArray[np.float64]
    apart: NDArray[np.float64]


def numbers_of(program: Program, rows: NDArray[np.float32]) -> dict[Step, Numbers]:
    """Return the numbers of all steps for ``rows`` (rows, columns)."""
    found: dict[Step, Numbers] = {}
    ends = [program.result] if program.chosen is None else [program.result, program.chosen]
    with np.errstate(all="ignore"):
        for step in program.steps(*ends):
            if isinstance(step, Inputs):
                found[step] = Numbers(rows.astype(np.float64), np.zeros(rows.shape))
            else:
                found[step] = _numbers(step, [found[source] for source in step.sources])
    return found


def doubtful(program: Program, rows: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return for which of ``rows`` rounding may decide the label, or it is chosen from a NaN."""
    if program.chosen is None or program.chooses_exactly:
        return np.zeros(len(rows), np.bool_)
    found = numbers_of(program, rows)[program.chosen]
    best = found.values.argmax(axis=1)
    at = np.arange(len(rows))
    with np.errstate(invalid="ignore"):
        gap = found.values[at, best][:, None] - found.values
        near = ~(gap > found.apart + found.apart[at, best][:, None])
    near[at, best] = np.isnan(found.values).any(axis=1)
    return np.asarray(near.any(axis=1))


def _terms(count: int) -> float:
    return 2 * count * UNIT / (1 - count * UNIT)


@singledispatch
def _numbers(step: Step, _read: list[Numbers]) -> Numbers:
    raise TypeError(f"{type(step).__name__} has no bound")


@_numbers.register
def _(step: Joined, read: list[Numbers]) -> Numbers:
    places = [part.place.ravel() for part in step.parts]
    pairs = list(zip(read, places, strict=True))
    values = np.hstack([each.values[:, place] for each, place in pairs])
    return Numbers(values, np.hstack([each.apart[:, place] for each, place in pairs]))


@_numbers.register
def _(step: Arithmetic, read: list[Numbers]) -> Numbers:
    value, constant = read[0].values.astype(np.float32), step.constant
    left, right = (constant, value) if step.swapped else (value, constant)
    result = _OPERATORS[step.operator](left, right).astype(np.float64)
    size = np.abs(constant.astype(np.float64))
    factor: Any = 1.0
    if step.operator == "*":
        factor = size
    elif step.operator == "/":
        factor = size / np.square(read[0].values) if step.swapped else 1 / size
    carried = np.where(read[0].apart > 0, read[0].apart * factor, 0.0)
    return Numbers(result, np.where(carried > 0, carried + 2 * UNIT * np.abs(result), 0.0))


_OPERATORS: dict[str, Any] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "max": np.maximum,
    "min": np.minimum,
}


@_numbers.register
def _(step: Filled, read: list[Numbers]) -> Numbers:
    value = read[0].values
    missing = np.isnan(value) if np.isnan(step.missing) else value == step.missing
    return Numbers(np.where(missing, step.constant, value), read[0].apart)


@_numbers.register
def _(step: Dense, read: list[Numbers]) -> Numbers:
    weights, bias = step.weights.astype(np.float64), step.bias.astype(np.float64)
    sizes = np.abs(read[0].values) @ np.abs(weights) + np.abs(bias)
    apart = read[0].apart @ np.abs(weights) + _terms(len(weights) + 3) * sizes
    return Numbers(read[0].values @ weights + bias, apart)


@_numbers.register
def _(step: Activation, read: list[Numbers]) -> Numbers:
    value, apart = read[0].values, read[0].apart
    if step.function == "relu":
        return Numbers(np.maximum(value, 0), apart)
    if step.function == "tanh":
        return Numbers(np.tanh(value), apart + FUNCTIONS)
    return Numbers(1 / (1 + np.exp(-value)), apart / 4 + FUNCTIONS)


@_numbers.register
def _(_step: Softmax, read: list[Numbers]) -> Numbers:
    value = read[0].values
    power = np.exp(value - value.max(axis=1, keepdims=True))
    apart = read[0].apart.max(axis=1, keepdims=True) + FUNCTIONS
    return Numbers(power / power.sum(axis=1, keepdims=True), np.broadcast_to(apart, value.shape))


@_numbers.register
def _(step: Shares, read: list[Numbers]) -> Numbers:
    value, apart = read[0].values, read[0].apart
    total = np.abs(value).sum(axis=1, keepdims=True)
    share = np.where(total > 0, value / total, value)
    apart = apart + np.abs(share) * apart.sum(axis=1, keepdims=True)
    return Numbers(share, apart / total + _terms(step.size + 2) * np.abs(share))


@_numbers.register
def _(step: Total, read: list[Numbers]) -> Numbers:
    value, apart = read[0].values, read[0].apart
    rounded = _terms(step.source.size) * np.abs(value).sum(axis=1, keepdims=True)
    return Numbers(value.sum(axis=1, keepdims=True), apart.sum(axis=1, keepdims=True) + rounded)


@_numbers.register
def _(_step: Quotient, read: list[Numbers]) -> Numbers:
    value, divisor = read
    result = value.values / divisor.values
    apart = (value.apart + np.abs(result) * divisor.apart) / np.abs(divisor.values)
    return Numbers(result, 2 * apart + 2 * UNIT * np.abs(result))


@_numbers.register
def _(step: LeafSums, read: list[Numbers]) -> Numbers:
    value = read[0].values.astype(np.float32)
    number = np.zeros((len(value), len(step.feature)), np.int64)
    for level in range(step.feature.shape[1]):
        answers = value[:, step.feature[:, level]] < step.threshold[:, level]
        number |= answers.astype(np.int64) << level
    sums = step.table[np.arange(len(step.table)), number].sum(axis=1, dtype=np.int64)
    return _decided(sums.astype(np.float64), read[0])


@_numbers.register
def _(step: Scaled, read: list[Numbers]) -> Numbers:
    values = read[0].values[:, step.column] * step.scale + step.offset
    return Numbers(values, read[0].apart[:, step.column])


@_numbers.register
def _(step: Trees, read: list[Numbers]) -> Numbers:
    forest = step.forest
    value = read[0].values.astype(np.float32)
    total = np.zeros((len(value), step.size), np.float32)
    for leaves in leaf_index(forest, value).T:
        total += forest.leaf_values[leaves]
    if forest.aggregate == "AVERAGE":
        total /= np.float32(forest.n_trees)
    base = np.pad(forest.base_values, (0, step.size - len(forest.base_values)))
    return _decided((total + base.astype(np.float32)).astype(np.float64), read[0])


def _decided(values: NDArray[np.float64], read: Numbers) -> Numbers:
    """Leaves of numbers that are equal; where those may differ, nothing is known."""
    sure = ~(read.apart > 0).any(axis=1, keepdims=True)
    return Numbers(values, np.where(sure, 0.0, np.inf) + np.zeros_like(values))
