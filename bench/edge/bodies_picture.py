"""docs/bodies.png: size against the time of a row over all bodies, as in edge.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.edge.bodies import ORT, WEB
from onnxpress.models import ACCENT
from onnxpress.report.pictures.canvas import figure, logarithmic, note, png, settle, style
from onnxpress.report.pictures.labels import place_labels

OWN = "written by onnxpress"
RUNTIME = "the ONNX file and onnxruntime"
PEER = {"marker": "o", "s": 45, "facecolor": "white", "edgecolor": "black", "zorder": 3}
MARKS: dict[str, dict[str, Any]] = {
    OWN: {"marker": "*", "s": 200, "color": ACCENT, "zorder": 4},
    RUNTIME: {"marker": "s", "s": 60, "color": "black", "zorder": 3},
    "emlearn": PEER,
    "emlearn, int16": PEER | {"marker": "^"},
    "m2cgen": PEER | {"marker": "v"},
    "tl2cgen": PEER | {"marker": "D"},
}
"""How a kind of body is drawn: told apart by shape, not by colour alone."""
FOOT = (
    "hollow: the forest of 100 trees as C; filled: the fewest trees that reach the score. C: flash "
    "for the label on a Cortex-M0+; others: all that is\nloaded beside a browser, Python or a "
    "database. Times: one core of a desktop processor, in one run"
)

Record = dict[str, Any]


@dataclass(frozen=True)
class Point:
    """A body of one table."""

    kind: str
    name: str
    """Its label; empty if the legend names it."""
    us: float
    size: int
    filled: bool = False


def picture(rows: Sequence[Record]) -> bytes:
    """Draw a part per table, as PNG."""
    tables = list(dict.fromkeys(row["table"] for row in rows))
    with style():
        drawn = figure(6.5 * len(tables), 5.6)
        parts = drawn.subplots(1, len(tables), squeeze=False, sharex=True, sharey=True)[0]
        found = [points(row for row in rows if row["table"] == name) for name in tables]
        for axis, name, shown in zip(parts, tables, found, strict=True):
            _scatter(axis, shown)
            axis.set_title(f"{name}: down and left is better")
            axis.set_xlabel("time of a row (µs)")
        parts[0].set_ylabel("size (bytes)")
        parts[0].margins(0.12)
        logarithmic(parts[0].xaxis)
        logarithmic(parts[0].yaxis)
        handles, names = parts[0].get_legend_handles_labels()
        drawn.legend(handles, names, loc="outside upper center", ncols=len(names), fontsize=10)
        note(drawn, FOOT)
        settle(drawn)
        for axis, shown in zip(parts, found, strict=True):
            place_labels(axis, [(each.us, each.size, each.name) for each in shown], [])
        return png(drawn)


def points(rows: Iterable[Record]) -> list[Point]:
    """The bodies of one table, and the peers."""
    found: list[Point] = []
    for row in rows:
        for each in row.get("bodies", []):
            kind = RUNTIME if each["body"] in (ORT, WEB) else OWN
            found.append(Point(kind, each["body"], each["ns"] / 1000, each["bytes"]))
        if "what" in row:
            size, fewer = row["bytes"]["Cortex-M0+"]["flash"], row["what"] != "the same"
            found.append(Point(row["contestant"], "", row["ns"] / 1000, size, fewer))
    return found


def _scatter(axis: Any, shown: Sequence[Point]) -> None:
    for kind, mark in MARKS.items():
        for point in shown:
            if point.kind == kind:
                look = mark | ({"facecolor": "black"} if point.filled else {})
                label = {"label": kind} if kind not in _labels(axis) else {}
                axis.scatter(point.us, point.size, **look, **label)


def _labels(axis: Any) -> list[str]:
    names: list[str] = axis.get_legend_handles_labels()[1]
    return names
