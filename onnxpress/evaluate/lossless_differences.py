"""Lossless held to its word: labels equal, scores within rounding, on every row that was asked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxpress.evaluate.inner_tensors import InnerTensors, Values
from onnxpress.evaluate.score_differences import numbers
from onnxpress.graph.trees.reader import is_tree
from onnxpress.runtime.predictions import Predictions
from onnxpress.tables.rows import Feeds, take

TOLERANCE = 1e-6
"""Of scores and predictions, relative to the largest of them where that is above 1."""


def is_lossless(candidate: str) -> bool:
    """Whether a candidate of quantization.json is said to answer as model.onnx does."""
    forms = candidate.partition("/")[2].split("+")
    return candidate == "none" or set(forms) == {"lossless"}


@dataclass(frozen=True)
class LosslessDifferences:
    """Rows on which the quantised model predicts differently from model.onnx, each (n,) in order."""

    labels: NDArray[np.intp]
    """Other labels, ties between the two highest scores aside."""
    ties: NDArray[np.intp]
    """Other labels where two scores of model.onnx are equal within rounding."""
    scores: NDArray[np.intp]
    """Equal labels, but scores or predictions beyond the tolerance."""


def lossless_differences(plain: Predictions, quantized: Predictions) -> LosslessDifferences:
    """Where the predictions of the two models differ."""
    apart = _apart(numbers(plain), numbers(quantized))
    scores = plain.scores
    if scores is None:
        return LosslessDifferences(*map(np.flatnonzero, (apart & False, apart & False, apart)))
    other, tied = plain.values != quantized.values, _tied(scores)
    return LosslessDifferences(*map(np.flatnonzero, (other & ~tied, other & tied, apart & ~other)))


def _apart(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether the numbers of a row differ beyond the tolerance, (rows,); NaN equals NaN."""
    if one.shape != other.shape:
        return np.ones(len(one), np.bool_)
    near = np.isclose(one, other, rtol=0, atol=_limit(one), equal_nan=True)
    return np.asarray(~near.all(axis=1))


def _limit(values: NDArray[np.float64]) -> float:
    finite = np.abs(values[np.isfinite(values)])
    return TOLERANCE * max(1.0, float(finite.max(initial=0)))


def _tied(scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether the two highest scores of a row are equal within rounding, (rows,)."""
    if scores.shape[1] < 2:
        return np.zeros(len(scores), np.bool_)
    highest = np.sort(scores, axis=1)[:, -2:]
    with np.errstate(invalid="ignore"):
        return np.asarray(highest[:, 1] - highest[:, 0] <= _limit(scores))


def trees_agree(plain: bytes, quantized: bytes, feeds: Feeds, rows: NDArray[np.intp]) -> bool:
    """Whether the trees of both models agree on ``rows``.

    If they do, scores that differ come from a step function behind the trees, such as isotonic
    calibration, which turns a rounding of their sums into a step.
    """
    models = [onnx.load_from_string(model) for model in (plain, quantized)]
    written = [{name for node in model.graph.node for name in node.output} for model in models]
    trees = [name for node in models[0].graph.node if is_tree(node) for name in node.output]
    names = [name for name in trees if name and name in written[1]]
    if not names:
        return False
    asked = take(feeds, rows)
    one, other = (InnerTensors(model, names)(asked) for model in models)
    return _agree(one, other)


def _agree(one: Values, other: Values) -> bool:
    pairs = [(one[name], other[name]) for name in one]
    numbers = [(a, b) for a, b in pairs if a.dtype.kind == b.dtype.kind == "f"]
    return bool(numbers) and not any(_apart(a, b).any() for a, b in numbers)
