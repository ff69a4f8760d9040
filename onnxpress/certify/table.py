"""The content of runtimes.json as tables and lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

HEADINGS = (
    *("runtime", "model", "result", "agreeing rows", "largest difference", "load ms", "row ms"),
    "why",
)


def table(content: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return a row of cells by :data:`HEADINGS` for each runtime and model."""
    return [
        (entry["runtime"], name, *_cells(found, content["times"][entry["runtime"]].get(name, {})))
        for entry in content["runtimes"]
        for name, found in entry["models"].items()
    ]


def _cells(found: Mapping[str, Any], times: Mapping[str, float]) -> tuple[str, ...]:
    if "reason" in found:
        return found["outcome"], "-", "-", "-", "-", found["reason"]
    largest = found["largest_difference"]
    return (
        found["outcome"],
        f"{found['agreeing_rows']} of {found['rows']}",
        "-" if largest is None else f"{largest:.2g}",
        f"{times['load_ms']:.3g}",
        f"{times['row_ms']:.3g}",
        "",
    )


def markdown(content: Mapping[str, Any]) -> list[str]:
    """Return the lines of a table in Markdown: a row per runtime, the result of each model.

    It has no times, so that it stays the same for the same content.
    """
    names = list(content["models"])
    lines = [f"| runtime | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for entry in content["runtimes"]:
        cells = [_result(entry["models"][name]) for name in names]
        lines.append(f"| {entry['runtime']} | {' | '.join(cells)} |")
    return lines


def _result(found: Mapping[str, Any]) -> str:
    """Return the outcome, with what says how far the answers differ."""
    if "rows" not in found or found["agreeing_rows"] == found["rows"]:
        return str(found["outcome"])
    return f"{found['outcome']} on {found['rows'] - found['agreeing_rows']} of {found['rows']} rows"


def summary(content: Mapping[str, Any]) -> list[str]:
    """Return a line per model: in how many runtimes it answers equally.

    Before them comes a line for each reason why something did not run or was not tried.
    """
    reasons: dict[tuple[str, str], list[str]] = {}
    for entry in content["runtimes"]:
        for name, found in entry["models"].items():
            if "reason" in found:
                key = f"{entry['runtime']}: {found['outcome']}", found["reason"]
                reasons.setdefault(key, []).append(name)
    lines = [f"{what}: {', '.join(names)}: {why}" for (what, why), names in reasons.items()]
    return [*lines, *(_line(name, content) for name in content["models"])]


def _line(name: str, content: Mapping[str, Any]) -> str:
    outcomes = [entry["models"][name]["outcome"] for entry in content["runtimes"]]
    counts = {outcome: outcomes.count(outcome) for outcome in dict.fromkeys(outcomes)}
    told = ", ".join(f"{outcome} in {count}" for outcome, count in counts.items())
    return f"{name} {told} of {len(outcomes)} runtimes"
