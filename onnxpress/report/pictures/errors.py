"""Where the models err: confusion matrices or residuals on the test rows, side by side."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.models import ACCENT, MODELS, ORIGINAL, QUANTIZED
from onnxpress.report.pictures.canvas import figure, note
from onnxpress.tables.schema import Schema
from onnxpress.text import visible

COUNTED_CLASSES = 12
"""With so many classes or fewer, a cell of a confusion matrix has space for its count."""
NAMED_CLASSES = 30
"""With so many or fewer, each class has space for its name."""
DRAWN_TARGETS = 4
"""Of more targets, the first are drawn."""
SHOWN = (ORIGINAL, QUANTIZED)

Columns = Mapping[str, NDArray[np.str_]]
"""The target and each model's predictions on the test rows as text, each (rows,), or (rows,
targets)."""
Numbers = NDArray[np.float64]
Counts = NDArray[np.int64]
"""Test rows by true class and predicted class, (classes, classes)."""


def draw(columns: Columns, schema: Schema) -> Any:
    """Return the figure of the columns of predictions.csv."""
    if schema.task == "classification":
        return _confusion(columns, schema.target_name)
    return _residuals(columns, schema.targets)


def _confusion(columns: Columns, target: str) -> Any:
    classes = _classes(columns)
    counts = {model: _counts(columns["target"], columns[model], classes) for model in SHOWN}
    most = max(int(matrix.max()) for matrix in counts.values())
    picture = figure(10, 5, layout="compressed")
    axes = picture.subplots(1, 2, sharey=True)
    for ax, (model, matrix) in zip(axes, counts.items(), strict=True):
        shades = ax.imshow(matrix, cmap="Greys", vmin=0, vmax=1.25 * most)
        right = f"{np.trace(matrix):,} of {matrix.sum():,} test rows right"
        ax.set(xlabel="predicted class", title=f"{MODELS[model].title}: {right}")
        ax.grid(visible=False)
        ax.spines[:].set_visible(True)
        _name_classes(ax, classes)
        if len(classes) <= COUNTED_CLASSES:
            _write_counts(ax, matrix, most)
    axes[0].set_ylabel(f"true class of {_short(target)}")
    if len(classes) > COUNTED_CLASSES:
        from matplotlib.ticker import MaxNLocator

        ticks = MaxNLocator(integer=True)
        picture.colorbar(shades, ax=axes, label="test rows", shrink=0.8, ticks=ticks)
    return picture


def _classes(columns: Columns) -> list[str]:
    """Return every class that occurs as a target or as a prediction, in order."""
    found = {value for name in ("target", *SHOWN) for value in columns[name].tolist()}
    return sorted(found, key=_place)


def _place(value: str) -> tuple[int, float, str]:
    """Return a sort key that puts numbers by value and before words."""
    return (0, float(value), value) if re.fullmatch("-?[0-9]+", value) else (1, 0.0, value)


def _counts(target: NDArray[Any], predictions: NDArray[Any], classes: list[str]) -> Counts:
    """Count the test rows by true class and predicted class.

    target  prediction
      a         a
      a         b          counts = [[1, 1],    a predicted as a, a predicted as b
      b         b                    [0, 1]]    b predicted as a, b predicted as b
    """
    place = {value: index for index, value in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)), np.int64)
    cells = [place[value] for value in target], [place[value] for value in predictions]
    np.add.at(counts, cells, 1)
    return counts


def _write_counts(ax: Any, counts: Counts, most: int) -> None:
    """Write every count that is not 0 into its cell, in white on a dark cell."""
    size = 11 if len(counts) <= 6 else 9
    for (row, column), count in np.ndenumerate(counts):
        if count:
            color = "white" if count > 0.6 * most else "black"
            ax.text(column, row, count, ha="center", va="center", color=color, fontsize=size)


def _name_classes(ax: Any, classes: list[str]) -> None:
    """Label both axes with the names of the classes, if there is space."""
    if len(classes) > NAMED_CLASSES:
        return
    names = [_short(name) for name in classes]
    ax.set_xticks(range(len(classes)), names, rotation=90 if sum(map(len, names)) > 40 else 0)
    ax.set_yticks(range(len(classes)), names)


def _short(name: str) -> str:
    shown = visible(name)
    return shown if len(shown) <= 20 else f"{shown[:18]}..."


def _residuals(columns: Columns, targets: tuple[str, ...]) -> Any:
    """Draw a line of two pictures for each target, of many for the first ``DRAWN_TARGETS``."""
    drawn = targets[:DRAWN_TARGETS]
    picture = figure(10, 4.8 if len(drawn) == 1 else 4.4 * len(drawn))
    axes = picture.subplots(len(drawn), 2, sharey="row", squeeze=False)
    for place, (line, target) in enumerate(zip(axes, drawn, strict=True)):
        tables = [columns[name].astype(float) for name in ("target", *SHOWN)]
        truth, *predicted = (table.reshape(len(table), -1)[:, place] for table in tables)
        _residuals_of(line, truth, predicted, _short(target))
    if len(targets) == 1:
        note(picture, f"all in the unit of {_short(targets[0])}")
    elif len(drawn) < len(targets):
        note(picture, f"the first {len(drawn)} of {len(targets)} targets, each in its own unit")
    else:
        note(picture, "each target in its own unit")
    return picture


def _residuals_of(axes: Any, truth: Numbers, predicted: Sequence[Numbers], name: str) -> None:
    """Draw the residuals of the shown models for the target ``name``; all arrays are (rows,)."""
    for ax, model, values in zip(axes, SHOWN, predicted, strict=True):
        residuals = values - truth
        error = float(np.sqrt(np.mean(residuals**2)))
        ax.plot(truth, residuals, "o", color="black", markersize=4, alpha=0.45, markeredgewidth=0)
        ax.axhline(0, color=ACCENT, linewidth=1)
        title = f"{MODELS[model].title}: RMSE {error:.4g} on {len(truth):,} test rows"
        ax.set(xlabel=f"true {name}", title=title)
    axes[0].set_ylabel(f"predicted {name} \N{MINUS SIGN} true {name}")
