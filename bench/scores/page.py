"""scores.md: the counts, and a table for each table of cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from bench.scores.compare import Found, Outcome
from onnxpress.evaluate.relative_differences import TOLERANCE

HEADER = (
    "estimator",
    "data",
    "place",
    "outcome",
    "largest difference",
    "labels",
    "rows",
    "at a step",
    "rounded",
)
RULE = "|---|---|---|---|---:|---:|---:|---:|---:|"


def markdown(tables: Mapping[str, Sequence[Found]]) -> str:
    """The whole page."""
    every = [found for table in tables.values() for found in table]
    counts = Counter(found.outcome for found in every)
    lines = ["# Scores of ONNX against the original library", "", *_preface(), ""]
    lines += [f"- {counts[outcome]} {outcome}" for outcome in Outcome]
    lines += [f"- {len(every)} combinations in all"]
    for name, table in tables.items():
        lines += ["", f"## {name.capitalize()}", "", f"| {' | '.join(HEADER)} |", RULE]
        lines += [f"| {' | '.join(_cells(found))} |" for found in table if not found.reason]
        reasons = Counter(
            (found.case.model, found.outcome, found.reason) for found in table if found.reason
        )
        lines += [
            "",
            *(
                f"- {model}, {count}x {outcome}: {why}"
                for (model, outcome, why), count in reasons.items()
            ),
        ]
    return "\n".join([*lines, ""])


def _preface() -> list[str]:
    return [
        "Written by `python -m bench.scores`. *equal*: on training rows, fresh rows, rows of",
        "columns drawn apart, rows between two and at the splits of trees, every score",
        f"differs by at most {TOLERANCE:g} · max(1, |score|), and labels are equal but where",
        "the two greatest scores of the original are that close. *at a step*: rows where the",
        "original itself gives ONNX's scores once its inputs are moved by 4 units of their",
        "last place (isotonic calibration). *rounded*: rows whose scores scikit-learn, which",
        "computes in float32 there, rounds as much itself.",
    ]


def _cells(found: Found) -> list[str]:
    case = found.case
    numbers = [
        f"{found.difference:.1e}",
        str(found.labels),
        str(found.rows),
        str(found.steps),
        str(found.rounded),
    ]
    return [case.model, case.data, case.place, str(found.outcome), *numbers]
