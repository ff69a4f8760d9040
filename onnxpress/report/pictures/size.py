"""What each step took off: bytes from the scikit-learn file to the quantised one, and what the models hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onnxpress.report.pictures.canvas import ACCENT, figure, kilobytes, note
from onnxpress.report.pictures.composition import BYTES, COUNTS, bytes_by_kind, counts

Bar = tuple[str, float, float | None]
"""Its name, where it starts, and what it adds to that; None for a whole file."""


def draw(original_kb: float, plain: bytes, quantized: bytes) -> Any:
    """The figure of three files: the size of model.joblib in KB, model.onnx and model_quantized.onnx."""
    picture = figure(13, 5.2)
    left, right = picture.subplots(1, 2, width_ratios=(2, 1))
    _waterfall(left, original_kb, bytes_by_kind(plain), bytes_by_kind(quantized))
    _contents(right, counts(plain), counts(quantized))
    note(picture, "KB of 1024 bytes; joblib is the pickled original with its preprocessing")
    return picture


def steps(
    original_kb: float, plain: Mapping[str, int], quantized: Mapping[str, int]
) -> list[tuple[str, float]]:
    """Each step from the scikit-learn file to the quantised one and the KB it adds; kinds that neither model has are left out."""
    conversion = ("conversion", sum(plain.values()) / 1024 - original_kb)
    changes = [
        (kind, (quantized[kind] - plain[kind]) / 1024)
        for kind in BYTES
        if plain[kind] or quantized[kind]
    ]
    return [conversion, *changes]


def _waterfall(
    ax: Any, original_kb: float, plain: Mapping[str, int], quantized: Mapping[str, int]
) -> None:
    (_, conversion), *changes = steps(original_kb, plain, quantized)
    bars: list[Bar] = [
        ("original\n(joblib)", original_kb, None),
        ("conversion", original_kb, conversion),
    ]
    level = sum(plain.values()) / 1024
    bars.append(("ONNX", level, None))
    for kind, added in changes:
        bars.append((kind.replace(", ", ",\n").replace(" ", "\n"), level, added))
        level += added
    bars.append(("ONNX,\nquantised", level, None))
    top = max(max(start, start + (change or 0)) for _, start, change in bars)
    for place, (_, start, change) in enumerate(bars):
        end = start + (change or 0)
        _bar(ax, place, start, change, accent=place == len(bars) - 1)
        ax.text(place, max(start, end) + top / 60, _told(start, change), ha="center", va="bottom")
        if place + 1 < len(bars):
            ax.plot([place, place + 1], [end, end], color="0.5", linewidth=0.8)
    ax.set_xticks(range(len(bars)), [name for name, _, _ in bars], fontsize=9)
    ax.set(ylabel="file size (KB)", ylim=(0, 1.1 * top), title="where the bytes went")
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.5g}")
    ax.grid(visible=False, axis="x")


def _told(start: float, change: float | None) -> str:
    if change is None:
        return kilobytes(start)
    return f"{'+' if change > 0 else ''}{kilobytes(change)}".replace("-", "\N{MINUS SIGN}")


def _bar(ax: Any, place: int, start: float, change: float | None, *, accent: bool) -> None:
    """A whole file stands on the ground; a step hangs where the one before has ended, dark and hatched where it adds."""
    if change is None:
        ax.bar(place, start, color=ACCENT if accent else "0.25", width=0.7)
    else:
        color, hatch = ("0.6", "///") if change > 0 else ("0.85", "")
        ax.bar(place, change, bottom=start, color=color, hatch=hatch, edgecolor="0.3", width=0.7)


def _contents(ax: Any, plain: Mapping[str, int], quantized: Mapping[str, int]) -> None:
    rows = [name for name in COUNTS if plain[name] or quantized[name]]
    for side, (model, color, name) in enumerate(
        ((plain, "0.25", "ONNX"), (quantized, ACCENT, "ONNX, quantised"))
    ):
        for place, kind in enumerate(rows):
            y = place + (0.2 if side else -0.2)
            ax.barh(y, model[kind], height=0.36, color=color, label=name if place == 0 else None)
            ax.text(
                max(model[kind], 0.6), y, f" {model[kind]:,}", va="center", ha="left", fontsize=10
            )
    most = max(max(plain[kind], quantized[kind]) for kind in rows)
    ax.set_yticks(range(len(rows)), [name.replace(" ", "\n", 1) for name in rows])
    ax.set(
        xscale="log",
        xlim=(0.5, most**1.35 + 20),
        ylim=(len(rows) - 0.4, -0.6),
        xlabel="count",
        title="what the models hold",
    )
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.locator_params(axis="x", numticks=5)
    ax.minorticks_off()
    ax.grid(visible=False, axis="y")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
