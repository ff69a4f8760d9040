"""How far predicted probabilities are from what happens."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.runtime.predictions import Predictions, as_labels
from onnxpress.scores.score import Label
from onnxpress.tables.mapped import copy_of, row_by_row, where

BINS = 10


@dataclass(frozen=True)
class Bin:
    """Rows whose likeliest class has about the same probability."""

    rows: int
    confidence: float
    """Mean probability of the likeliest class."""
    accuracy: float
    """Share of the rows that are of it."""


def reliability(
    target: NDArray[Any],
    predictions: Predictions,
    classes: tuple[Label, ...],
    bins: int = BINS,
) -> tuple[Bin, ...]:
    """Return rows in bins of equal size by the probability of their likeliest class, lowest first.

    ``target`` is (rows,), ``classes`` are those of the probabilities' columns. Rows of the same
    probability are in one bin, so there may be fewer bins.
    Empty if the model gives no probabilities, or one of them is NaN.
    """
    if predictions.scores is None or not predictions.proper or not len(target):
        return ()
    confidence = row_by_row(lambda scores: scores.max(axis=1), predictions.scores)
    if np.isnan(confidence.max()):
        return ()
    likeliest = row_by_row(
        lambda scores: np.array(classes)[scores.argmax(axis=1)], predictions.scores
    )
    right = row_by_row(np.equal, as_labels(target), likeliest)
    shares = np.arange(1, bins) / bins
    inner = np.quantile(copy_of(confidence), shares, method="higher", overwrite_input=True)
    edges = np.unique(inner)
    of_row = row_by_row(lambda part: np.asarray(np.searchsorted(edges, part, "right")), confidence)
    found = []
    for number in range(len(edges) + 1):
        part = row_by_row(partial(np.equal, number), of_row)
        if rows := int(np.count_nonzero(part)):
            confident, share = where(confidence, part).mean(), where(right, part).mean()
            found.append(Bin(rows, float(confident), float(share)))
    return tuple(found)


def calibration_error(
    target: NDArray[Any],
    predictions: Predictions,
    classes: tuple[Label, ...],
    bins: int = BINS,
) -> float:
    """Return the expected calibration error: the mean distance of confidence and accuracy.

    Bins are weighted by their rows. NaN without probabilities. Source: Naeini, Cooper and
    Hauskrecht, Obtaining well calibrated probabilities using Bayesian binning, AAAI 2015; with
    bins of equal size.
    """
    found = reliability(target, predictions, classes, bins)
    if not found:
        return math.nan
    gaps = sum(each.rows * abs(each.accuracy - each.confidence) for each in found)
    return gaps / sum(each.rows for each in found)
