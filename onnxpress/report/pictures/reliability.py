"""Whether probabilities mean what they say: how often each model is right where it is how sure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.models import MODELS, ONNX, ORIGINAL, QUANTIZED
from onnxpress.report.pictures.canvas import figure, note

Bins = Sequence[Mapping[str, float]]
"""Of one model, from the least sure to the surest: ``rows``, the mean probability of their
likeliest class (``confidence``), and the share of the rows that are of it (``accuracy``)."""

FOOT = "bins by the probability of the predicted class, equal in size but for ties"
WHISKERS = "whiskers: 95 % interval of the share (Wilson)"
NO_PROBABILITIES = {
    "classification": "this classifier has decision scores and no probabilities",
    "regression": "a regressor predicts numbers and no probabilities",
}
"""What the picture says, by task, where there is nothing to draw."""
Z95 = 1.959964
"""The 97.5 % quantile of the standard normal distribution."""
WITH_WHISKERS = (ORIGINAL, QUANTIZED)
MARKS: Mapping[str, Mapping[str, Any]] = {
    ORIGINAL: {"markersize": 5},
    ONNX: {"markersize": 9, "markerfacecolor": "none"},  # around the original's, which is the same
    QUANTIZED: {"markersize": 7},
}


def draw(reliability: Mapping[str, Bins] | None, metrics: Mapping[str, float], task: str) -> Any:
    """Return the figure of the bins of the three models, by their keys.

    ``reliability`` is that of metrics_detail.json, None for models without probabilities: the
    figure then says why there is nothing to draw.
    """
    if reliability is None:
        return _without(NO_PROBABILITIES[task])
    picture = figure(11, 5.6)
    left, right = picture.subplots(1, 2)
    left.plot([0, 1], [0, 1], color="0.5", linewidth=1)
    right.axhline(0, color="0.5", linewidth=1)
    for key, model in MODELS.items():
        bins, label = reliability[key], f"{model.title}: {_figures(key, metrics)}"
        probability, share = _column(bins, "confidence"), _column(bins, "accuracy")
        style = {"color": model.colour, "label": label, **MARKS[key]}
        left.plot(probability, share, model.line, **style)
        right.plot(_places(bins), 100 * (share - probability), model.line, **style)
        if key in WITH_WHISKERS:
            low, high = intervals(bins)
            thin = {"color": model.colour, "linewidth": 1, "alpha": 0.5}
            left.vlines(probability, low, high, **thin)
            right.vlines(
                _places(bins), 100 * (low - probability), 100 * (high - probability), **thin
            )
    _frame(left, right, reliability)
    handles, names = left.get_legend_handles_labels()
    picture.legend(handles, names, loc="outside upper center", ncols=1, fontsize=10)
    rows = sum(round(each["rows"]) for each in reliability[ORIGINAL])
    note(picture, f"{rows:,} test rows in {FOOT}; {WHISKERS}")
    return picture


def intervals(bins: Bins) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return both ends of the 95 % interval of each bin's share, each (bins,).

    Wilson (1927), "Probable inference, the law of succession, and statistical inference".
    """
    share, rows = _column(bins, "accuracy"), _column(bins, "rows")
    shrunk = 1 + Z95**2 / rows
    middle = (share + Z95**2 / (2 * rows)) / shrunk
    half = Z95 / shrunk * np.sqrt(share * (1 - share) / rows + Z95**2 / (4 * rows**2))
    return middle - half, middle + half


def _without(reason: str) -> Any:
    """Return a small figure that says why there is nothing to draw."""
    picture = figure(11, 1.4)
    ax = picture.subplots()
    ax.set_axis_off()
    ax.text(0.5, 0.5, f"no reliability picture: {reason}", ha="center", va="center")
    return picture


def _figures(key: str, metrics: Mapping[str, float]) -> str:
    """Return the calibration error of a model and its log loss, where it is defined."""
    found = [f"calibration error {metrics[f'{key}_calibration_error']:.3g}"]
    if (loss := metrics.get(f"{key}_log_loss")) is not None:
        found.append(f"log loss {loss:.3g}")
    return ", ".join(found)


def _column(bins: Bins, name: str) -> NDArray[np.float64]:
    return np.array([each[name] for each in bins], np.float64)


def _places(bins: Bins) -> NDArray[np.float64]:
    """Return where the middle of each bin is among all rows, in percent.

    rows  10 10 20  ->  12.5  37.5  75
    """
    rows = _column(bins, "rows")
    places: NDArray[np.float64] = 100 * (np.cumsum(rows) - rows / 2) / rows.sum()
    return places


def _frame(left: Any, right: Any, reliability: Mapping[str, Bins]) -> None:
    """Set titles and limits; the left half begins where the least sure bin is."""
    least = min(float(_column(bins, "confidence").min()) for bins in reliability.values())
    edge = max(0.0, np.floor(20 * (least - 0.02)) / 20)
    left.set(
        xlabel="mean probability of the predicted class",
        ylabel="share of rows where it is right",
        xlim=(edge, 1.0 + 0.03 * (1 - edge)),
        ylim=(-0.03, 1.03),
        title="on the line: as often right as sure",
    )
    right.set(
        xlabel="test rows, from the least sure to the surest (%)",
        ylabel="share right \N{MINUS SIGN} probability (percentage points)",
        xlim=(0, 100),
        title="below 0: too sure; above: too modest",
    )
