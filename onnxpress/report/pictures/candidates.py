"""Size against latency of every candidate that was scored, with what each costs of the score."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from onnxpress import pareto
from onnxpress.models import PLAIN
from onnxpress.report.pictures.canvas import (
    ACCENT,
    figure,
    kilobytes,
    logarithmic,
    measured_on,
    note,
    settle,
)
from onnxpress.report.pictures.labels import Box, place_labels

Json = Mapping[str, Any]
INTERVAL = ("p50_ms", "low_ms", "high_ms")
KEPT = {"chosen", "within budget", "slower"}
"""Outcomes of candidates that cost no more of the score than they may."""
MARKS = {
    "chosen": ("chosen", {"marker": "*", "s": 260, "color": ACCENT, "zorder": 4}),
    "kept": ("keeps the score", {"marker": "o", "s": 55, "color": "black", "zorder": 3}),
    "lost": (
        "loses too much score",
        {"marker": "o", "s": 55, "facecolor": "white", "edgecolor": "black", "zorder": 3},
    ),
    "plain": ("ONNX", {"marker": "s", "s": 60, "color": "black", "zorder": 3}),
    "original": ("original", {"marker": "D", "s": 60, "color": "black", "zorder": 3}),
}
"""By kind of point: what the legend says, and how it is drawn."""


@dataclass(frozen=True)
class Point:
    """A model's size, its median latency with the 95 % interval, and what it gains of the score (None: not scored)."""

    name: str
    size_kb: float
    ms: float
    low_ms: float
    high_ms: float
    gain: float | None
    outcome: str


def points(quantization: Json, detail: Json, metrics: Mapping[str, float]) -> list[Point]:
    """scikit-learn, the plain ONNX model, and every candidate that was scored and timed, from the smallest on.

    A candidate's latency is the plain model's over its speed-up within the same rounds: so it can be held against the
    published figures, although it was measured after them and in few rounds.
    """
    models, timed = (
        detail["batches"][str(detail["default_batch_rows"])]["models"],
        detail["candidates"],
    )
    plain_ms = models["onnx"]["p50_ms"]
    outcome = "chosen" if quantization["candidate"] == PLAIN else "plain"
    found = [
        _point(
            "original",
            metrics["original_size_kb"],
            (models["original"][key] for key in INTERVAL),
            None,
            "original",
        ),
        _point(
            "ONNX", metrics["onnx_size_kb"], (models["onnx"][key] for key in INTERVAL), 0.0, outcome
        ),
    ]
    for entry in quantization["candidates"]:
        if entry["name"] in timed:
            speedup = timed[entry["name"]]["vs_onnx_speedup"]
            ms = (plain_ms / speedup[key] for key in ("median", "high", "low"))
            found.append(
                _point(
                    entry["name"],
                    entry["size_kb"],
                    ms,
                    round(0.0 - entry["score_drop"], 9),
                    entry["outcome"],
                )
            )
    return sorted(found, key=lambda point: (point.size_kb, point.name))


def _point(
    name: str, size_kb: float, ms: Iterable[float], gain: float | None, outcome: str
) -> Point:
    middle, low, high = ms
    return Point(name, size_kb, middle, low, high, gain, outcome)


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


def draw(quantization: Json, detail: Json, metrics: Mapping[str, float]) -> Any:
    """The figure: a map of size and latency, and beside it, by the same numbers, what each candidate gains of the score."""
    found = points(quantization, detail, metrics)
    scored = [point for point in found if point.gain is not None]
    picture = figure(12, max(5.2, 1.8 + 0.3 * len(scored)))
    left, right = picture.subplots(1, 2, width_ratios=(3, 2))
    edge = _map(left, found)
    percent = 100 if "original_accuracy" in metrics else 1
    _gains(right, scored, percent)
    score = "accuracy (percentage points)" if percent == 100 else "R\N{SUPERSCRIPT TWO}"
    right.set_xlabel(f"change of {score}\n({quantization['scoring']})")
    left.set_xlabel(f"median time of a call with {detail['default_batch_rows']:,} rows (ms)")
    handles, names = left.get_legend_handles_labels()
    picture.legend(handles, names, loc="outside upper center", ncols=len(names), fontsize=10)
    note(
        picture,
        f"lines through the marks: 95 % intervals; candidates are timed side by side with ONNX; {measured_on(detail)}",
    )
    settle(picture)
    intervals = [(point.low_ms, point.size_kb, point.high_ms, point.size_kb) for point in found]
    place_labels(
        left,
        [(point.ms, point.size_kb, _label(point, scored)) for point in found],
        [*intervals, *edge],
    )
    return picture


def _label(point: Point, scored: list[Point]) -> str:
    if point.outcome == "original":
        return point.name
    number = scored.index(point) + 1
    return f"{number} {point.name}" if point.outcome in {"chosen", "plain"} else str(number)


def _kind(point: Point) -> str:
    if point.outcome in {"chosen", "plain", "original"}:
        return point.outcome
    return "kept" if point.outcome in KEPT else "lost"


def _map(ax: Any, found: list[Point]) -> list[Box]:
    """Draw the points and the Pareto front; the lines of the front."""
    for kind, (label, mark) in MARKS.items():
        group = [point for point in found if _kind(point) == kind]
        if group:
            ax.scatter(
                [point.ms for point in group],
                [point.size_kb for point in group],
                label=label,
                **mark,
            )
    for point in found:
        ax.plot(
            [point.low_ms, point.high_ms], [point.size_kb, point.size_kb], color="0.4", linewidth=1
        )
    ax.set(
        ylabel="file size (KB)",
        xscale="log",
        yscale="log",
        title="size against latency: down and left is better",
    )
    ax.margins(0.12)
    logarithmic(ax.xaxis)
    logarithmic(ax.yaxis)
    ax.set(
        xlim=ax.get_xlim(), ylim=ax.get_ylim()
    )  # the front runs from edge to edge and moves neither
    edge = _edge(front(found), ax.get_xlim()[1], ax.get_ylim()[1])
    ax.plot(*zip(*edge, strict=True), linestyle="--", color="0.5", label="Pareto front")
    return [(*start, *end) for start, end in pairwise(edge)]


def _edge(best: list[Point], right: float, top: float) -> list[tuple[float, float]]:
    """The corners of the region in which a model is larger and slower than one of the front, from the lower right to the top."""
    corners = [(right, best[0].size_kb)]
    for point in best:
        corners += [(corners[-1][0], point.size_kb), (point.ms, point.size_kb)]
    return [*corners, (best[-1].ms, top)]


def _gains(ax: Any, scored: list[Point], percent: int) -> None:
    for place, point in enumerate(scored):
        gain = percent * (point.gain or 0)
        ax.plot([0, gain], [place, place], color="0.6", linewidth=2)
        ax.scatter(gain, place, **MARKS[_kind(point)][1])
        change = f"{gain:+.3g}".replace("-", "\N{MINUS SIGN}") if gain else "0"
        text = f"{kilobytes(point.size_kb)} KB, {change}"
        ax.text(1.02, place, text, transform=ax.get_yaxis_transform(), va="center", fontsize=10)
    ax.axvline(0, color="0.4", linewidth=1)
    ax.set_yticks(
        range(len(scored)),
        [f"{point.name}  {place}" for place, point in enumerate(scored, 1)],
        fontsize=10,
    )
    ax.set(ylim=(len(scored) - 0.4, -0.6), title="score gained or lost")
    gains = [0.0, *(percent * (point.gain or 0) for point in scored)]
    room = 0.15 * max(
        max(gains) - min(gains), percent / 100
    )  # where all is 0, the axis shows a point of accuracy or 0.01 of R2
    ax.set_xlim(min(gains) - room, max(gains) + room)
    ax.locator_params(axis="x", nbins=5)
    ax.grid(visible=False, axis="y")
