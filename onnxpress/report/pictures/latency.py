"""How long a call takes: the calls of the default batch, and the sweep over batch sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from onnxpress.models import SPEEDUPS, TIMED
from onnxpress.report.pictures.canvas import figure, logarithmic, measured_on, milliseconds, note

Json = Mapping[str, Any]
DISTRIBUTION_NOTE = "bar: middle half of the calls; line: 5 % to 95 %; dot: 99 %, on the left only"
SWEEP_NOTE = "whiskers: 95 % interval of the median over rounds; both axes logarithmic"


def draw_distribution(detail: Json) -> Any:
    """Return the figure of single calls on the default batch, from latency_detail.json."""
    rows = detail["default_batch_rows"]
    models = detail["batches"][str(rows)]["models"]
    names = [name for name in TIMED if name in models]
    picture = figure(11, 4.6)
    left, right = picture.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    for place, name in enumerate(names):
        ms = {int(percent): value for percent, value in models[name]["percentiles_ms"].items()}
        shares = {percent: 100 * value / ms[50] for percent, value in ms.items() if percent < 99}
        _box(left, place, ms)
        _box(right, place, shares)
        text = f"median {milliseconds(ms[50])}, 95 % below {milliseconds(ms[95])}"
        at = {"transform": left.get_yaxis_transform(), "va": "bottom", "fontsize": 10}
        left.text(0.02, place - 0.25, text, **at)
    left.set_yticks(range(len(names)), [TIMED[name].title for name in names])
    left.set_xlabel(f"time of a call with {rows:,} rows (ms, logarithmic)")
    left.set_ylim(len(names) - 0.5, -0.75)
    right.set_xlabel("share of the model's own median (%)")
    left.set_title("how long a call takes")
    right.set_title("how much that varies")
    logarithmic(left.xaxis)
    right.xaxis.set_major_formatter("{x:,.0f}")
    note(picture, f"{DISTRIBUTION_NOTE}; {measured_on(detail)}")
    return picture


def _box(ax: Any, place: int, values: Mapping[int, float]) -> None:
    """Draw the percentiles of one model without an outline, so that a narrow one stays legible."""
    level = [place, place]
    ax.plot([values[5], values[95]], level, color="black", linewidth=1.4, solid_capstyle="butt")
    ax.plot([values[25], values[75]], level, color="0.55", linewidth=11, solid_capstyle="butt")
    ax.plot(values[50], place, "|", color="black", markersize=15, markeredgewidth=2)
    if 99 in values:
        ax.plot(values[99], place, "o", color="black", markersize=4)


def draw_sweep(detail: Json) -> Any:
    """Return the figure of every batch size: medians and speed-ups with their 95 % intervals."""
    batches = {int(rows): batch for rows, batch in detail["batches"].items()}
    sizes = sorted(batches)
    picture = figure(11, 5)
    left, right = picture.subplots(1, 2)
    for name, model in TIMED.items():
        found = [batches[rows]["models"][name] for rows in sizes]
        points = [(each["p50_ms"], each["low_ms"], each["high_ms"]) for each in found]
        _curve(left, sizes, points, fmt=model.line, color=model.colour, label=model.title)
    for key, speedup in SPEEDUPS.items():
        found = [batches[rows]["speedups"][key] for rows in sizes]
        points = [(each["median"], each["low"], each["high"]) for each in found]
        _curve(right, sizes, points, fmt=speedup.line, color=speedup.colour, label=speedup.title)
    right.axhline(1, color="0.4", linewidth=1)
    left.set(xlabel="rows per call", ylabel="median time of a call (ms)", title="latency")
    right.set(xlabel="rows per call", ylabel="times faster (1 is as fast)", title="speed-up")
    for ax in (left, right):
        ax.set_xscale("log")
        ax.set_yscale("log")
        logarithmic(ax.xaxis)
        logarithmic(ax.yaxis)
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, fontsize=10)
    note(picture, f"{SWEEP_NOTE}; {measured_on(detail)}")
    return picture


def _curve(ax: Any, x: list[int], points: list[tuple[float, float, float]], **style: Any) -> None:
    """Draw a line through the medians, with a whisker for each interval.

    A point is a median with the ends of its interval. The median of all calls may lie just outside
    the interval, which is that of the median over rounds: the whisker then has no length there.

    point  (4.0, 3.5, 4.2)  ->  whiskers 0.5 below and 0.2 above
    point  (4.0, 4.1, 4.2)  ->  whiskers 0   below and 0.2 above
    """
    middle, low, high = np.array(points).T
    whiskers = np.maximum([middle - low, high - middle], 0)
    ax.errorbar(x, middle, whiskers, capsize=4, markersize=6, **style)
