"""Rows on which a quantised model that should be lossless differs from the ONNX model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxpress.evaluate.inner_tensors import InnerTensors, Values
from onnxpress.evaluate.relative_differences import Flags, at_threshold, numbers
from onnxpress.graph.trees.reader import is_tree
from onnxpress.runtime.predictions import Predictions
from onnxpress.tables.mapped import row_by_row, spans
from onnxpress.tables.rows import Feeds, take

TOLERANCE = 1e-6
"""Of scores and predictions, relative to the largest of them where that is above 1."""


@dataclass(frozen=True)
class LosslessDifferences:
    """Row numbers, each (n,) and rising, on which the quantised model predicts something else."""

    labels: NDArray[np.intp]
    """Other labels that are no ties."""
    ties: NDArray[np.intp]
    """Other labels where the two highest scores of the ONNX model are equal within rounding, or one
    is at the threshold between two classes."""
    scores: NDArray[np.intp]
    """Equal labels, but scores or predictions beyond the tolerance."""


def lossless_differences(plain: Predictions, quantized: Predictions) -> LosslessDifferences:
    """Compare the predictions of the ONNX model and the quantised one for the same rows."""
    apart = _apart(numbers(plain), numbers(quantized))
    if plain.scores is None:
        none = np.zeros(0, np.intp)
        return LosslessDifferences(labels=none, ties=none, scores=np.flatnonzero(apart))
    other = row_by_row(np.not_equal, plain.values, quantized.values)
    at = at_threshold(plain, quantized, TOLERANCE)
    tied = row_by_row(np.logical_or, _tied(plain.scores), at)
    return LosslessDifferences(
        labels=np.flatnonzero(row_by_row(_alone, other, tied)),
        ties=np.flatnonzero(row_by_row(np.logical_and, other, tied)),
        scores=np.flatnonzero(row_by_row(_alone, apart, other)),
    )


def _alone(one: Flags, other: Flags) -> Flags:
    return one & ~other


def _apart(one: NDArray[np.float64], other: NDArray[np.float64]) -> Flags:
    """Flag the rows, (rows,), whose numbers differ beyond the tolerance; NaN equals NaN."""
    if one.shape != other.shape:
        return np.ones(len(one), np.bool_)
    limit = _limit(one)

    def apart(one: NDArray[np.float64], other: NDArray[np.float64]) -> Flags:
        near = np.isclose(one, other, rtol=0, atol=limit, equal_nan=True)
        return np.asarray(~near.all(axis=1))

    return row_by_row(apart, one, other)


def _limit(values: NDArray[np.float64]) -> float:
    largest = 1.0
    for span in spans(len(values)):
        part = values[span]
        largest = max(largest, float(np.abs(part[np.isfinite(part)]).max(initial=0)))
    return TOLERANCE * largest


def _tied(scores: NDArray[np.float64]) -> Flags:
    """Flag the rows, (rows,), whose two highest scores are equal within rounding."""
    if scores.shape[1] < 2:
        return np.zeros(len(scores), np.bool_)
    limit = _limit(scores)

    def tied(scores: NDArray[np.float64]) -> Flags:
        highest = np.sort(scores, axis=1)[:, -2:]
        with np.errstate(invalid="ignore"):
            return np.asarray(highest[:, 1] - highest[:, 0] <= limit)

    return row_by_row(tied, scores)


def trees_agree(plain: bytes, quantized: bytes, feeds: Feeds, rows: NDArray[np.intp]) -> bool:
    """Return whether the trees of both models agree on ``rows``, (n,) numbers of rows in ``feeds``.

    If they do, scores that differ come from a step function behind the trees, such as isotonic
    calibration, which turns a rounding of their sums into a step.
    """
    models = [onnx.load_from_string(model) for model in (plain, quantized)]
    trees = [name for node in models[0].graph.node if is_tree(node) for name in node.output]
    known = {name for node in models[1].graph.node for name in node.output}
    names = [name for name in trees if name and name in known]
    if not names:
        return False
    one, other = (InnerTensors(model, names)(take(feeds, rows)) for model in models)
    return _agree(one, other)


def _agree(one: Values, other: Values) -> bool:
    pairs = [(one[name], other[name]) for name in one]
    floats = [(a, b) for a, b in pairs if a.dtype.kind == b.dtype.kind == "f"]
    return bool(floats) and not any(_apart(a, b).any() for a, b in floats)
