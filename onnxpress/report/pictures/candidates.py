"""Size against latency of every candidate that was scored, and what each costs of the score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from onnxpress import pareto
from onnxpress.models import ACCENT, MODELS, ONNX, ORIGINAL, PLAIN
from onnxpress.report.pictures.canvas import (
    figure,
    kilobytes,
    logarithmic,
    measured_on,
    note,
    settle,
)
from onnxpress.report.pictures.labels import Box, place_labels
from onnxpress.report.score_words import title_of, unit_of

Json = Mapping[str, Any]
KEPT = {"chosen", "within budget", "slower"}
"""Outcomes of candidates that keep every budget."""
NAMED = {"chosen", "plain", "original"}
"""Outcomes that are drawn and labelled in a way of their own."""
MARKS = {
    "chosen": ("chosen", {"marker": "*", "s": 260, "color": ACCENT, "zorder": 4}),
    "kept": ("within budget", {"marker": "o", "s": 55, "color": "black", "zorder": 3}),
    "lost": (
        "over budget",
        {"marker": "o", "s": 55, "facecolor": "white", "edgecolor": "black", "zorder": 3},
    ),
    "plain": (MODELS[ONNX].title, {"marker": "s", "s": 60, "color": "black", "zorder": 3}),
    "original": (MODELS[ORIGINAL].title, {"marker": "D", "s": 60, "color": "black", "zorder": 3}),
}
"""By kind of point: what the legend says, and how it is drawn."""
ROUNDING = 1e-9
"""Differences of scores that are this share of them are rounding."""
FOOT = (
    "lines through the marks: 95 % intervals on the left, one standard error on the right; "
    "candidates are timed side by side with ONNX"
)


@dataclass(frozen=True)
class Point:
    """A model's size, its median latency with the 95 % interval, and what it gains of the score."""

    name: str
    size_kb: float
    ms: float
    low_ms: float
    high_ms: float
    gain: float | None
    """Difference of the score from that of the ONNX model; None if it was not scored."""
    outcome: str
    error: float = 0.0
    """Standard error of the gain; 0 where it is not known."""
    stopped_by: str = ""
    """The first budget that it breaks; empty if it breaks none."""


def points(quantization: Json, detail: Json, metrics: Mapping[str, float]) -> list[Point]:
    """Return the original, the ONNX model, and every candidate that was scored and timed.

    The smallest comes first. A candidate's latency is the ONNX model's published latency over the
    candidate's speed-up within the same rounds: so it compares with the published figures,
    although it was measured after them and in few rounds.
    """
    models = detail["batches"][str(detail["default_batch_rows"])]["models"]
    timed = detail["candidates"]
    outcome = "chosen" if quantization["candidate"] == PLAIN else "plain"
    found = [
        _model(ORIGINAL, metrics, models, None, "original"),
        _model(ONNX, metrics, models, 0.0, outcome),
    ]
    for entry in quantization["candidates"]:
        if entry["name"] in timed:
            speedup = timed[entry["name"]]["vs_onnx_speedup"]
            found.append(_candidate(entry, models[ONNX]["p50_ms"], speedup))
    return sorted(found, key=lambda point: (point.size_kb, point.name))


def _model(
    key: str, metrics: Mapping[str, float], models: Json, gain: float | None, outcome: str
) -> Point:
    """Return the point of one of the three models, from its published size and latency."""
    middle, low, high = (models[key][name] for name in ("p50_ms", "low_ms", "high_ms"))
    return Point(MODELS[key].title, metrics[f"{key}_size_kb"], middle, low, high, gain, outcome)


def _candidate(entry: Json, onnx_ms: float, speedup: Json) -> Point:
    """Return the point of a candidate; a high speed-up is a low latency."""
    middle, low, high = (onnx_ms / speedup[name] for name in ("median", "high", "low"))
    drop = entry.get("drops", {}).get("score", {})
    return Point(
        entry["name"],
        entry["size_kb"],
        middle,
        low,
        high,
        gain=0.0 - entry["score_drop"],
        outcome=entry["outcome"],
        error=drop.get("se") or 0.0,
        stopped_by=entry.get("stopped_by") or "",
    )


def front(found: list[Point]) -> list[Point]:
    """Return the Pareto front in size and time of the models that keep the score.

    The smallest comes first. Of models that are equal in both, only the first is there.
    """
    kept = [point for point in found if point.outcome in KEPT | {"plain"}]
    kept.sort(key=_costs)
    best: dict[tuple[float, float], Point] = {}
    for position in pareto.front([_costs(point) for point in kept]):
        best.setdefault(_costs(kept[position]), kept[position])
    return list(best.values())


def _costs(point: Point) -> tuple[float, float]:
    return point.size_kb, point.ms


def draw(quantization: Json, detail: Json, metrics: Mapping[str, float], score: str) -> Any:
    """Return the figure: size against latency, and what each candidate gains or loses.

    ``score`` is the name of the score. Both halves number the candidates alike.
    """
    found = points(quantization, detail, metrics)
    scored = [point for point in found if point.gain is not None]
    picture = figure(12, max(5.2, 1.8 + 0.3 * len(scored)))
    left, right = picture.subplots(1, 2, width_ratios=(3, 2))
    edge = _map(left, found)
    _gains(right, scored, score, abs(metrics.get(f"original_{score}", 0.0)))
    unit = unit_of(score)[1] or "greater is better"
    right.set_xlabel(f"change of {title_of(score)} ({unit})\n{quantization['scoring']}")
    left.set_xlabel(f"median time of a call with {detail['default_batch_rows']:,} rows (ms)")
    handles, names = left.get_legend_handles_labels()
    picture.legend(handles, names, loc="outside upper center", ncols=len(names), fontsize=10)
    note(picture, f"{FOOT}; {measured_on(detail)}")
    settle(picture)
    labels = [(point.ms, point.size_kb, _label(point, scored)) for point in found]
    intervals = [(point.low_ms, point.size_kb, point.high_ms, point.size_kb) for point in found]
    place_labels(left, labels, [*intervals, *edge])
    return picture


def _label(point: Point, scored: list[Point]) -> str:
    if point.outcome == "original":
        return point.name
    number = scored.index(point) + 1
    return f"{number} {point.name}" if point.outcome in NAMED else str(number)


def _kind(point: Point) -> str:
    if point.outcome in NAMED:
        return point.outcome
    return "kept" if point.outcome in KEPT else "lost"


def _map(ax: Any, found: list[Point]) -> list[Box]:
    """Draw the points and the Pareto front; return the lines of the front."""
    for kind, (label, mark) in MARKS.items():
        group = [point for point in found if _kind(point) == kind]
        if group:
            x, y = [point.ms for point in group], [point.size_kb for point in group]
            ax.scatter(x, y, label=label, **mark)
    for point in found:
        level = [point.size_kb, point.size_kb]
        ax.plot([point.low_ms, point.high_ms], level, color="0.4", linewidth=1)
    ax.set(ylabel="file size (KB)", xscale="log", yscale="log")
    ax.set_title("size against latency: down and left is better")
    ax.margins(0.12)
    logarithmic(ax.xaxis)
    logarithmic(ax.yaxis)
    # the front runs from edge to edge, and must not move the edges
    ax.set(xlim=ax.get_xlim(), ylim=ax.get_ylim())
    edge = _edge(front(found), ax.get_xlim()[1], ax.get_ylim()[1])
    ax.plot(*zip(*edge, strict=True), linestyle="--", color="0.5", label="Pareto front")
    return [(*start, *end) for start, end in pairwise(edge)]


def _edge(best: list[Point], right: float, top: float) -> list[tuple[float, float]]:
    """Return the corners of the front's stairs, from the lower right to the top, as (ms, KB).

    Above and right of them a model is larger and slower than one of the front.

    best (9 ms, 1 KB), (4 ms, 5 KB), right 20 ms, top 8 KB
      -> (20, 1), (20, 1), (9, 1), (9, 5), (4, 5), (4, 8)
    """
    corners = [(right, best[0].size_kb)]
    for point in best:
        corners += [(corners[-1][0], point.size_kb), (point.ms, point.size_kb)]
    return [*corners, (best[-1].ms, top)]


def _gains(ax: Any, scored: list[Point], score: str, level: float) -> None:
    """Draw a line per candidate from 0 to what it gains or loses, with its size and the number.

    ``level`` is the size of the original's score.
    """
    factor = unit_of(score)[0]
    gains = [factor * _seen(point.gain or 0.0, level) for point in scored]
    for place, (point, gain) in enumerate(zip(scored, gains, strict=True)):
        ax.plot([0, gain], [place, place], color="0.6", linewidth=2)
        error = factor * point.error
        ax.plot([gain - error, gain + error], [place, place], color="0.4", linewidth=1)
        ax.scatter(gain, place, **MARKS[_kind(point)][1])
        change = f"{gain:+.3g}".replace("-", "\N{MINUS SIGN}") if gain else "0"
        text = f"{kilobytes(point.size_kb)} KB, {change}{_stopped(point)}"
        ax.text(1.02, place, text, transform=ax.get_yaxis_transform(), va="center", fontsize=10)
    ax.axvline(0, color="0.4", linewidth=1)
    names = [f"{point.name}  {place}" for place, point in enumerate(scored, 1)]
    ax.set_yticks(range(len(scored)), names, fontsize=10)
    ax.set(ylim=(len(scored) - 0.4, -0.6), title=f"{title_of(score)} gained or lost")
    low, high = _ends(gains, [factor * point.error for point in scored])
    room = 0.15 * max(high - low, factor * _least_span(level))
    ax.set_xlim(low - room, high + room)
    ax.locator_params(axis="x", nbins=5)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:.3g}".replace("-", "\N{MINUS SIGN}"))
    ax.grid(visible=False, axis="y")


def _seen(gain: float, level: float) -> float:
    """Return a gain, or 0 where it is only rounding of a score of this size."""
    return gain if abs(gain) > ROUNDING * min(1.0, level) else 0.0


def _ends(gains: list[float], errors: list[float]) -> tuple[float, float]:
    """Return the range of the gains with their errors, and of 0."""
    pairs = list(zip(gains, errors, strict=True))
    lows, highs = [gain - error for gain, error in pairs], [gain + error for gain, error in pairs]
    return min(0.0, *lows), max(0.0, *highs)


def _stopped(point: Point) -> str:
    """Return the budget that stopped a candidate, unless it is that of the score itself."""
    return f" ({point.stopped_by})" if point.stopped_by not in {"", "score"} else ""


def _least_span(level: float) -> float:
    """Return the least range of the axis, so that differences of no weight look small.

    It is one point of a share or of R2, and one percent of a score that is larger than 1 or, as a
    mean squared error may be, much smaller.
    """
    if not level:
        return 0.01
    return 0.01 * level if level > 1 or level < 0.01 else 0.01
