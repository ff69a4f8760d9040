"""What each step took off the file, from the scikit-learn file to the quantised model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from onnxpress.models import ACCENT, MODELS, ONNX, QUANTIZED
from onnxpress.report.pictures.canvas import figure, kilobytes, note
from onnxpress.report.pictures.composition import BYTES, COUNTS, bytes_by_kind, counts

Sizes = Mapping[str, int]
"""Bytes of a file by kind, or counts of what it holds."""


class Bar(NamedTuple):
    """A bar of the waterfall: a whole file, or a step that starts where the one before ended."""

    name: str
    start: float
    """KB at which it starts, or the size of a whole file."""
    change: float | None = None
    """KB that a step adds; None for a whole file."""

    @property
    def end(self) -> float:
        """KB that are left after it."""
        return self.start + (self.change or 0)


def draw(original_kb: float, plain: bytes, quantized: bytes) -> Any:
    """Return the figure of three files: model.joblib (its KB), model.onnx, model_quantized.onnx."""
    picture = figure(13, 5.2)
    left, right = picture.subplots(1, 2, width_ratios=(2, 1))
    _waterfall(left, original_kb, bytes_by_kind(plain), bytes_by_kind(quantized))
    _contents(right, counts(plain), counts(quantized))
    note(picture, "KB of 1024 bytes; joblib is the pickled original with its preprocessing")
    return picture


def steps(original_kb: float, plain: Sizes, quantized: Sizes) -> list[tuple[str, float]]:
    """Return each step from the scikit-learn file to the quantised one and the KB it adds.

    Kinds of bytes that neither model has are left out.
    """
    conversion = ("conversion", sum(plain.values()) / 1024 - original_kb)
    kinds = [kind for kind in BYTES if plain[kind] or quantized[kind]]
    return [conversion, *((kind, (quantized[kind] - plain[kind]) / 1024) for kind in kinds)]


def bars(original_kb: float, plain: Sizes, quantized: Sizes) -> list[Bar]:
    """Return the bars of the waterfall from left to right: three files and the steps between."""
    (_, conversion), *changes = steps(original_kb, plain, quantized)
    level = sum(plain.values()) / 1024
    found = [
        Bar("original\n(joblib)", original_kb),
        Bar("conversion", original_kb, conversion),
        Bar("ONNX", level),
    ]
    for kind, added in changes:
        name = kind.replace(", ", ",\n").replace(" ", "\n")
        found.append(Bar(name, level, added))
        level += added
    return [*found, Bar("ONNX,\nquantised", level)]


def _waterfall(ax: Any, original_kb: float, plain: Sizes, quantized: Sizes) -> None:
    found = bars(original_kb, plain, quantized)
    last = len(found) - 1
    top = max(max(bar.start, bar.end) for bar in found)
    for place, bar in enumerate(found):
        _draw_bar(ax, place, bar, accent=place == last)
        height = max(bar.start, bar.end) + top / 60
        ax.text(place, height, _label(bar), ha="center", va="bottom")
        if place < last:
            ax.plot([place, place + 1], [bar.end, bar.end], color="0.5", linewidth=0.8)
    ax.set_xticks(range(len(found)), [bar.name for bar in found], fontsize=9)
    ax.set(ylabel="file size (KB)", ylim=(0, 1.1 * top), title="where the bytes went")
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.5g}")
    ax.grid(visible=False, axis="x")


def _label(bar: Bar) -> str:
    if bar.change is None:
        return kilobytes(bar.start)
    sign = "+" if bar.change > 0 else ""
    return f"{sign}{kilobytes(bar.change)}".replace("-", "\N{MINUS SIGN}")


def _draw_bar(ax: Any, place: int, bar: Bar, *, accent: bool) -> None:
    """Draw a whole file from the ground up, a step where it starts; one that adds is hatched."""
    if bar.change is None:
        ax.bar(place, bar.start, color=ACCENT if accent else "0.25", width=0.7)
        return
    color, hatch = ("0.6", "///") if bar.change > 0 else ("0.85", "")
    style = {"color": color, "hatch": hatch, "edgecolor": "0.3", "width": 0.7}
    ax.bar(place, bar.change, bottom=bar.start, **style)


def _contents(ax: Any, plain: Sizes, quantized: Sizes) -> None:
    """Draw what both models hold as pairs of horizontal bars."""
    kinds = [name for name in COUNTS if plain[name] or quantized[name]]
    for held, model, color, offset in (
        (plain, ONNX, "0.25", -0.2),
        (quantized, QUANTIZED, ACCENT, 0.2),
    ):
        for place, kind in enumerate(kinds):
            y, count = place + offset, held[kind]
            label = MODELS[model].title if place == 0 else None
            ax.barh(y, count, height=0.36, color=color, label=label)
            ax.text(max(count, 0.6), y, f" {count:,}", va="center", ha="left", fontsize=10)
    most = max(max(plain[kind], quantized[kind]) for kind in kinds)
    ax.set_yticks(range(len(kinds)), [name.replace(" ", "\n", 1) for name in kinds])
    ax.set(
        xscale="log",
        xlim=(0.5, most**1.35 + 20),
        ylim=(len(kinds) - 0.4, -0.6),
        xlabel="count",
        title="what the models hold",
    )
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.locator_params(axis="x", numticks=5)
    ax.minorticks_off()
    ax.grid(visible=False, axis="y")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
