"""Where the models err: confusion matrices or residuals on the test rows, side by side."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
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
DRAWN_ROWS = 20_000
"""Of more rows than twice as many, every second, fourth, eighth and so on is a point."""
DRAWN_TARGETS = 4
"""Of more targets, the first are drawn."""
SHOWN = (ORIGINAL, QUANTIZED)

Columns = Mapping[str, NDArray[np.str_]]
"""The target and each model's predictions on the test rows as text, each (rows,), or (rows,
targets)."""
Numbers = NDArray[np.float64]
Counts = NDArray[np.int64]
"""Test rows by true class and predicted class, (classes, classes)."""


def draw(pieces: Iterable[Columns], schema: Schema) -> Any:
    """Return the figure of predictions.csv, whose rows come in ``pieces``."""
    if schema.task == "classification":
        return _confusion(pieces, schema.target_name)
    return _residuals(pieces, schema.targets)


def _confusion(pieces: Iterable[Columns], target: str) -> Any:
    pairs = {model: Counter[tuple[str, str]]() for model in SHOWN}
    for columns in pieces:
        for model, own in pairs.items():
            own.update(zip(columns["target"].tolist(), columns[model].tolist(), strict=True))
    classes = sorted({name for own in pairs.values() for pair in own for name in pair}, key=_place)
    counts = {model: _counts(own, classes) for model, own in pairs.items()}
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


def _place(value: str) -> tuple[int, float, str]:
    """Return a sort key that puts numbers by value and before words."""
    return (0, float(value), value) if re.fullmatch("-?[0-9]+", value) else (1, 0.0, value)


def _counts(pairs: Mapping[tuple[str, str], int], classes: list[str]) -> Counts:
    """Return the test rows by true class and predicted class as a matrix.

    Two rows of (a, b), that is a predicted as b, and one of (b, b) are [[0, 2], [0, 1]].
    """
    place = {value: index for index, value in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)), np.int64)
    for (true, predicted), count in pairs.items():
        counts[place[true], place[predicted]] = count
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


@dataclass
class _Points:
    """Rows to be drawn, and the squared residuals of all rows; targets beside each other."""

    rows: int = 0
    squares: Any = 0.0
    """By the models shown: (models, targets)."""
    every: int = 1
    """One row of so many is drawn."""
    drawn: list[Numbers] = field(default_factory=list)
    """(1 + models, rows, targets): the truth and what is predicted."""

    def add(self, columns: Columns, targets: int) -> None:
        """Look at some rows."""
        texts = [columns[name] for name in ("target", *SHOWN)]
        values = np.stack(
            [each.astype(float).reshape(len(each), -1)[:, :targets] for each in texts]
        )
        self.squares = self.squares + ((values[1:] - values[:1]) ** 2).sum(axis=1)
        self.drawn.append(values[:, -self.rows % self.every :: self.every])
        self.rows += values.shape[1]
        while sum(part.shape[1] for part in self.drawn) > 2 * DRAWN_ROWS:
            self.every *= 2
            self.drawn = [np.concatenate(self.drawn, axis=1)[:, ::2]]


def _residuals(pieces: Iterable[Columns], targets: tuple[str, ...]) -> Any:
    """Draw a line of two pictures for each target, of many for the first ``DRAWN_TARGETS``."""
    drawn, points = targets[:DRAWN_TARGETS], _Points()
    for columns in pieces:
        points.add(columns, len(drawn))
    picture = figure(10, 4.8 if len(drawn) == 1 else 4.4 * len(drawn))
    axes = picture.subplots(len(drawn), 2, sharey="row", squeeze=False)
    every, errors = np.concatenate(points.drawn, axis=1), np.sqrt(points.squares / points.rows)
    for place, (line, target) in enumerate(zip(axes, drawn, strict=True)):
        truth, *predicted = every[:, :, place]
        titles = [
            f"{MODELS[model].title}: RMSE {error:.4g} on {points.rows:,} test rows"
            for model, error in zip(SHOWN, errors[:, place], strict=True)
        ]
        _residuals_of(line, truth, dict(zip(titles, predicted, strict=True)), _short(target))
    notes = [f"1 of {points.every} rows is drawn"] if points.every > 1 else []
    if len(targets) == 1:
        notes.insert(0, f"all in the unit of {_short(targets[0])}")
    elif len(drawn) < len(targets):
        notes.insert(0, f"the first {len(drawn)} of {len(targets)} targets, each in its own unit")
    else:
        notes.insert(0, "each target in its own unit")
    note(picture, "; ".join(notes))
    return picture


def _residuals_of(axes: Any, truth: Numbers, predicted: Mapping[str, Numbers], name: str) -> None:
    """Draw the residuals of the shown models, by title, for the target ``name``."""
    for ax, (title, values) in zip(axes, predicted.items(), strict=True):
        residuals = values - truth
        ax.plot(truth, residuals, "o", color="black", markersize=4, alpha=0.45, markeredgewidth=0)
        ax.axhline(0, color=ACCENT, linewidth=1)
        ax.set(xlabel=f"true {name}", title=title)
    axes[0].set_ylabel(f"predicted {name} \N{MINUS SIGN} true {name}")
