"""Where the models err: confusion matrices or residuals on the test rows, original beside quantised."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.report.pictures.canvas import ACCENT, MODELS, figure
from onnxpress.tables.schema import Schema
from onnxpress.text import visible

COUNTED_CLASSES = 12
"""Up to so many classes every cell of a confusion matrix has room for its count."""
NAMED_CLASSES = 30
"""Up to so many every class has room for its name."""


Columns = Mapping[str, NDArray[np.str_]]
"""The target and each model's answer on the test rows, (rows,)."""


def draw(columns: Columns, schema: Schema) -> Any:
    """The figure of the columns of outputs/predictions.csv."""
    return (_confusion if schema.task == "classification" else _residuals)(columns, schema.target)


def _confusion(columns: Columns, target: str) -> Any:
    shown = {model: columns[model] for model in ("original", "quantized")}
    classes = sorted(
        {
            *columns["target"].tolist(),
            *(value for answers in shown.values() for value in answers.tolist()),
        },
        key=_place,
    )
    counts = {
        model: _counts(columns["target"], answers, classes) for model, answers in shown.items()
    }
    most = max(matrix.max() for matrix in counts.values())
    picture = figure(10, 5, layout="compressed")
    axes = picture.subplots(1, 2, sharey=True)
    for ax, (model, matrix) in zip(axes, counts.items(), strict=True):
        shades = ax.imshow(matrix, cmap="Greys", vmin=0, vmax=1.25 * most)
        ax.set(
            xlabel="predicted class",
            title=f"{MODELS[model]}: {np.trace(matrix):,} of {matrix.sum():,} test rows right",
        )
        ax.grid(visible=False)
        ax.spines[:].set_visible(True)
        _name(ax, classes)
        for (row, column), count in (
            np.ndenumerate(matrix) if len(classes) <= COUNTED_CLASSES else ()
        ):
            if count:
                shade = "white" if count > 0.6 * most else "black"
                ax.text(
                    column,
                    row,
                    count,
                    ha="center",
                    va="center",
                    color=shade,
                    fontsize=11 if len(classes) <= 6 else 9,
                )
    axes[0].set_ylabel(f"true class of {_short(target)}")
    if len(classes) > COUNTED_CLASSES:
        from matplotlib.ticker import MaxNLocator

        picture.colorbar(
            shades, ax=axes, label="test rows", shrink=0.8, ticks=MaxNLocator(integer=True)
        )
    return picture


def _place(value: str) -> tuple[int, float, str]:
    """Numbers by value and before words."""
    return (0, float(value), value) if re.fullmatch("-?[0-9]+", value) else (1, 0.0, value)


def _counts(target: NDArray[Any], answers: NDArray[Any], classes: list[str]) -> NDArray[np.int64]:
    """Test rows by true class and predicted class, (classes, classes)."""
    place = {value: index for index, value in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(counts, ([place[value] for value in target], [place[value] for value in answers]), 1)
    return counts


def _name(ax: Any, classes: list[str]) -> None:
    if len(classes) > NAMED_CLASSES:
        return
    names = [_short(name) for name in classes]
    ax.set_xticks(range(len(classes)), names, rotation=90 if sum(map(len, names)) > 40 else 0)
    ax.set_yticks(range(len(classes)), names)


def _short(name: str) -> str:
    shown = visible(name)
    return shown if len(shown) <= 20 else f"{shown[:18]}..."


def _residuals(columns: Columns, target: str) -> Any:
    truth = columns["target"].astype(float)
    picture, name = figure(10, 4.8), _short(target)
    axes = picture.subplots(1, 2, sharey=True)
    for ax, model in zip(axes, ("original", "quantized"), strict=True):
        residuals = columns[model].astype(float) - truth
        error = float(np.sqrt(np.mean(residuals**2)))
        ax.plot(truth, residuals, "o", color="black", markersize=4, alpha=0.45, markeredgewidth=0)
        ax.axhline(0, color=ACCENT, linewidth=1)
        ax.set(
            xlabel=f"true {name}",
            title=f"{MODELS[model]}: RMSE {error:.4g} on {len(truth):,} test rows",
        )
    axes[0].set_ylabel(f"predicted {name} \N{MINUS SIGN} true {name}")
    picture.supxlabel(f"all in the unit of {name}", fontsize=9, color="0.35")
    return picture
