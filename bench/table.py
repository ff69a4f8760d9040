"""From records to the table: one row per data set, estimator and contestant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from bench.costs import BATCHES
from bench.models import FORMS
from bench.peers import PEERS
from bench.suite import MEASURED_SPLIT, Record

NAMES = {
    "joblib": "scikit-learn",
    "onnx": "ONNX",
    "lossless": "lossless",
    "refined": "refined",
    "one_node": "refined, one node",
    "treelite": "treelite (GTIL)",
    "tl2cgen": "tl2cgen, gcc",
    "sklearnex": "scikit-learn-intelex",
    "ydf": "ydf",
    "floor": "Identity floor",
}
HEADER = (
    "data", "estimator", "contestant", "splits", "nodes", "KB", "x smaller", "score", "points lost",
    "load ms", "peak MB", *(f"us/row at {size}" for size in BATCHES),
)  # fmt: skip
Row = dict[str, Any]
Group = list[Record]


def groups(records: Iterable[Record]) -> list[Group]:
    """The records of each data set and estimator, as they first appear, by split."""
    found: dict[tuple[str, str], Group] = {}
    for record in records:
        found.setdefault((record["data"], record["estimator"]), []).append(record)
    return [sorted(group, key=lambda record: record["split"]) for group in found.values()]


def rows(records: Iterable[Record]) -> list[Row]:
    """The whole table; what was not measured is left out of a row."""
    return [row for group in groups(records) for row in group_rows(group)]


def group_rows(group: Group) -> list[Row]:
    """The contestants on one data set and estimator.

    Medians of sizes, means of scores, costs of the measured split.
    """
    first = {"data": group[0]["data"], "estimator": group[0]["estimator"]}
    measured = next(
        (record for record in group if record["split"] == MEASURED_SPLIT and "latency" in record),
        {},
    )
    found = [
        first | {"contestant": NAMES[name], **_form(group, name), **_cost(measured, name)}
        for name in FORMS
    ]
    found += [
        first | {"contestant": NAMES[name], **_peer(group, name), **_cost(measured, name)}
        for name in PEERS
    ]
    return [*found, first | {"contestant": NAMES["floor"], **_cost(measured, "floor")}]


def _form(group: Group, name: str) -> Row:
    row: Row = {"splits": len(group), "kb": _median(record["kb"][name] for record in group)}
    row |= {
        "smaller": smaller(group, name),
        **scored([record["score"][name] for record in group], group),
    }
    if name in group[0]["nodes"]:
        row["nodes"] = int(_median(record["nodes"][name] for record in group))
    if name == "refined":
        chosen = Counter(record["candidate"] for record in group).most_common()
        row["settings"] = (
            ", ".join(f"{count} of {name}" for name, count in chosen)
            if len(chosen) > 1
            else chosen[0][0]
        )
    return row


def _peer(group: Group, name: str) -> Row:
    present = [record for record in group if "score" in record["peers"].get(name, {})]
    if not present:
        reasons = [record["peers"][name]["reason"] for record in group if name in record["peers"]]
        return {"reason": reasons[0] if reasons else "not tried"}
    row = {"splits": len(present), "kb": _median(record["peers"][name]["kb"] for record in present)}
    row["smaller"] = _median(
        record["kb"]["onnx"] / record["peers"][name]["kb"] for record in present
    )
    return row | scored([record["peers"][name]["score"] for record in present], present)


def _cost(measured: Record, name: str) -> Row:
    row: Row = {}
    if cost := measured.get("load", {}).get(name):
        row |= {"load_ms": cost["load_ms"], "peak_mb": cost["peak_memory_mb"]}
    times = {
        size: batch["us_per_row"].get(name)
        for size, batch in measured.get("latency", {}).items()
        if size != "cpu_share"
    }
    return row | {f"us_per_row_{size}": value for size, value in times.items() if value is not None}


def smaller(group: Group, name: str) -> float:
    """How many times smaller than the ONNX model, the median over splits."""
    return _median(record["kb"]["onnx"] / record["kb"][name] for record in group)


def scored(scores: list[float], group: Group) -> Row:
    """Mean score, and the points lost against scikit-learn on the same split.

    Points are hundredths; they have a standard error.
    """
    lost = 100 * (np.array([record["score"]["joblib"] for record in group]) - scores)
    row = {"score": float(np.mean(scores)), "lost": float(lost.mean())}
    return row | (
        {"lost_error": float(lost.std(ddof=1) / np.sqrt(len(lost)))} if len(lost) > 1 else {}
    )


def _median(values: Iterable[float]) -> float:
    return float(np.median(list(values)))


def markdown(table: list[Row]) -> str:
    """The table in Markdown; the first row of each group names the data set and the estimator."""
    lines = [f"| {' | '.join(HEADER)} |", "|---|---|---|" + "---:|" * (len(HEADER) - 3)]
    shown = ("", "")
    for row in table:
        group = (row["data"], row["estimator"])
        cells = [*(group if group != shown else ("", "")), _contestant(row), *(_cells(row))]
        lines.append(f"| {' | '.join(cells)} |")
        shown = group
    return "\n".join(lines)


def _contestant(row: Row) -> str:
    notes = [str(row[key]) for key in ("settings", "reason") if key in row]
    return f"{row['contestant']}: {notes[0]}" if notes else str(row["contestant"])


def _cells(row: Mapping[str, Any]) -> list[str]:
    lost = (
        f"{row['lost']:.2f}" + (f" ± {row['lost_error']:.2f}" if "lost_error" in row else "")
        if "lost" in row
        else ""
    )
    texts = [
        _number(row, "splits", "d"),
        _number(row, "nodes", ",d"),
        _three(row, "kb"),
        _three(row, "smaller"),
    ]
    texts += [
        _number(row, "score", ".4f"),
        lost,
        _three(row, "load_ms"),
        _number(row, "peak_mb", ",.0f"),
    ]
    return texts + [_three(row, f"us_per_row_{size}") for size in BATCHES]


def _number(row: Mapping[str, Any], name: str, form: str) -> str:
    return format(row[name], form) if name in row else ""


def _three(row: Mapping[str, Any], name: str) -> str:
    """Three significant digits, and no exponent."""
    if name not in row:
        return ""
    value = row[name]
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
