"""How far predicted probabilities are from what happens."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.runtime.predictions import Predictions, as_labels
from onnxpress.scores.score import Label

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
    confidence = predictions.scores.max(axis=1)
    if np.isnan(confidence).any():
        return ()
    right = as_labels(target) == np.array(classes)[predictions.scores.argmax(axis=1)]
    inner = np.quantile(confidence, np.arange(1, bins) / bins, method="higher")
    of_row = np.searchsorted(np.unique(inner), confidence, side="right")
    parts = (of_row == each for each in np.unique(of_row))
    return tuple(
        Bin(int(part.sum()), float(confidence[part].mean()), float(right[part].mean()))
        for part in parts
    )


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
