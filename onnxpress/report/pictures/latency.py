"""How long a call takes: how the calls of the default batch are distributed, and the sweep over batch sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from onnxpress.report.pictures.canvas import (
    ACCENT,
    MODELS,
    STYLES,
    figure,
    logarithmic,
    measured_on,
    milliseconds,
    note,
)

Json = Mapping[str, Any]
SPEEDUPS = {
    "onnx_speedup": ("ONNX over original", "s--", "black"),
    "quantized_speedup": ("quantised over original", "^:", "black"),
    "quantized_vs_onnx_speedup": ("quantised over ONNX", "D-", ACCENT),
}


def draw_distribution(detail: Json) -> Any:
    """The figure of single calls on the default batch, from the percentiles in latency_detail.json."""
    rows = detail["default_batch_rows"]
    models = detail["batches"][str(rows)]["models"]
    names = [name for name in MODELS if name in models]
    picture = figure(11, 4.6)
    left, right = picture.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    for place, name in enumerate(names):
        ms = {int(percent): value for percent, value in models[name]["percentiles_ms"].items()}
        _box(left, place, ms)
        _box(
            right,
            place,
            {percent: 100 * value / ms[50] for percent, value in ms.items() if percent < 99},
        )
        text = f"median {milliseconds(ms[50])}, 95 % below {milliseconds(ms[95])}"
        left.text(
            0.02, place - 0.25, text, transform=left.get_yaxis_transform(), va="bottom", fontsize=10
        )
    left.set_yticks(range(len(names)), [MODELS[name] for name in names])
    left.set(
        xlabel=f"time of a call with {rows:,} rows (ms, logarithmic)",
        ylim=(len(names) - 0.5, -0.75),
    )
    right.set(xlabel="share of the model's own median (%)")
    left.set_title("how long a call takes")
    right.set_title("how much that varies")
    logarithmic(left.xaxis)
    right.xaxis.set_major_formatter("{x:,.0f}")
    note(
        picture,
        f"bar: middle half of the calls; line: 5 % to 95 %; dot: 99 %, on the left only; {measured_on(detail)}",
    )
    return picture


def _box(ax: Any, place: int, values: Mapping[int, float]) -> None:
    """The spread of one model: no outline is needed to read it, so it stays legible where it is narrow."""
    ax.plot(
        [values[5], values[95]], [place, place], color="black", linewidth=1.4, solid_capstyle="butt"
    )
    ax.plot(
        [values[25], values[75]], [place, place], color="0.55", linewidth=11, solid_capstyle="butt"
    )
    ax.plot(values[50], place, "|", color="black", markersize=15, markeredgewidth=2)
    if 99 in values:
        ax.plot(values[99], place, "o", color="black", markersize=4)


def draw_sweep(detail: Json) -> Any:
    """The figure of every batch size: medians of all models, and speed-ups, both with their 95 % intervals."""
    batches = {
        int(rows): batch
        for rows, batch in sorted(detail["batches"].items(), key=lambda item: int(item[0]))
    }
    picture = figure(11, 5)
    left, right = picture.subplots(1, 2)
    for name, style in STYLES.items():
        found = {rows: batch["models"][name] for rows, batch in batches.items()}
        color = {"quantized": ACCENT, "floor": "0.6"}.get(name, "black")
        points = {rows: (ms["p50_ms"], ms["low_ms"], ms["high_ms"]) for rows, ms in found.items()}
        _curve(left, points, style, color, MODELS[name])
    for key, (label, style, color) in SPEEDUPS.items():
        found = {rows: batch["speedups"][key] for rows, batch in batches.items()}
        _curve(
            right,
            {rows: (item["median"], item["low"], item["high"]) for rows, item in found.items()},
            style,
            color,
            label,
        )
    right.axhline(1, color="0.4", linewidth=1)
    left.set(xlabel="rows per call", ylabel="median time of a call (ms)", title="latency")
    right.set(xlabel="rows per call", ylabel="times faster (1 is as fast)", title="speed-up")
    for ax in (left, right):
        ax.set_xscale("log")
        ax.set_yscale("log")
        logarithmic(ax.xaxis)
        logarithmic(ax.yaxis)
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, fontsize=10)
    note(
        picture,
        f"whiskers: 95 % interval of the median over rounds; both axes logarithmic; {measured_on(detail)}",
    )
    return picture


def _curve(
    ax: Any, points: Mapping[int, tuple[float, float, float]], style: str, color: str, label: str
) -> None:
    """A line through the medians, with a whisker for each interval. A median of calls may lie just outside that of rounds."""
    middle, low, high = np.array(list(points.values())).T
    whiskers = np.maximum([middle - low, high - middle], 0)
    ax.errorbar(
        list(points), middle, whiskers, fmt=style, color=color, label=label, capsize=4, markersize=6
    )
