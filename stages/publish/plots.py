"""Plots of a run as PNG: where the models err, and how fast they are by batch size. The same bytes for the same data."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.common.table import Schema

TITLES = {"original": "original", "onnx": "ONNX", "quantized": "ONNX, quantised"}
STYLES = {"original": "o-", "onnx": "s--", "quantized": "^:"}  # told apart by marker and dash, not by colour
ANNOTATED_CLASSES = 12
"""Up to so many classes every cell of a confusion matrix has room for its count."""
DOTS_PER_INCH = 100


def error_plot(predictions: str, schema: Schema) -> tuple[str, bytes]:
    """File name and PNG of the test rows' confusion matrices or residuals, original beside quantised.

    ``predictions`` is the text of outputs/predictions.csv: the target and each model's answer, a line per test row.
    """
    rows = list(csv.DictReader(io.StringIO(predictions)))
    columns = {name: np.array([row[name] for row in rows]) for name in ("target", "original", "quantized")}
    figure, axes = _figure(2)
    draw = _draw_confusion if schema.task == "classification" else _draw_residuals
    for ax, model in zip(axes, ("original", "quantized"), strict=True):
        draw(ax, columns["target"], columns[model], schema.target)
        ax.set_title(TITLES[model])
        ax.label_outer()
    return ("confusion.png" if schema.task == "classification" else "residuals.png"), _png(figure)


def latency_plot(batches: Mapping[int, Mapping[str, float]]) -> bytes:
    """PNG of the median latency in ms by rows per call, a line per model; both axes logarithmic."""
    figure, (ax,) = _figure(1)
    for model, style in STYLES.items():
        points = [(rows, models[model]) for rows, models in sorted(batches.items()) if model in models]
        if points:
            ax.plot(*zip(*points, strict=True), style, color="black", label=TITLES[model])
    ax.set(xscale="log", yscale="log", xlabel="rows per call", ylabel="median latency (ms)")
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.yaxis.set_major_formatter("{x:g}")
    ax.minorticks_off()
    ax.grid(color="0.85")
    ax.legend(frameon=False)
    return _png(figure)


def _figure(panels: int) -> tuple[Any, Any]:
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # it announces its cache, once per machine
    from matplotlib.figure import Figure  # 0.3 s; pyplot, which looks for a screen, is not needed

    figure = Figure(figsize=(1 + 4.5 * panels, 4.2), dpi=DOTS_PER_INCH, layout="constrained")
    return figure, figure.subplots(1, panels, squeeze=False, sharey=True)[0]


def _draw_confusion(ax: Any, target: NDArray[Any], answers: NDArray[Any], name: str) -> None:
    classes = sorted({*target, *answers}, key=lambda value: (len(value), value) if value.lstrip("-").isdigit() else (0, value))
    place = {value: index for index, value in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)), int)
    np.add.at(counts, ([place[value] for value in target], [place[value] for value in answers]), 1)
    ax.imshow(counts, cmap="Greys")
    if len(classes) <= ANNOTATED_CLASSES:
        ax.set_xticks(range(len(classes)), classes, rotation=90 if max(map(len, classes)) > 3 else 0)
        ax.set_yticks(range(len(classes)), classes)
        for row, column in np.ndindex(*counts.shape):
            dark = counts[row, column] > counts.max() / 2
            ax.text(column, row, counts[row, column], ha="center", va="center", color="white" if dark else "black")
    ax.set(xlabel="predicted class (number of test rows)", ylabel=f"{name}: true class")


def _draw_residuals(ax: Any, target: NDArray[Any], answers: NDArray[Any], name: str) -> None:
    truth = target.astype(float)
    ax.plot(truth, answers.astype(float) - truth, "o", color="black", markersize=3, alpha=0.5)
    ax.axhline(0, color="0.5", linewidth=1)
    ax.set(xlabel=f"{name} (its own unit)", ylabel=f"predicted {name} - true {name} (its own unit)")


def _png(figure: Any) -> bytes:
    image = io.BytesIO()
    figure.savefig(image, format="png", metadata={"Software": None})  # the version of matplotlib is no part of the picture
    return image.getvalue()
