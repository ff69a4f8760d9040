"""budgets.json and budgets.md: the bars of the budgets, and what each table lost."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from bench.bars import Bar, markdown
from bench.budgets.judge import BUDGETS, FRESH, ROWS, TREES, Record
from onnxpress.pipeline.files import write_bytes, write_json

RECALL, PRECISION, PRECISION_AS_SCORE = 0.05, 0.02, 0.01
"""The most that a chosen model may lose of a class's recall and of average precision, and of
average precision where that is the score."""
RUNS, SIZE = 0.95, 30
"""The share of runs that keep these, and the median ratio of sizes."""


def keeps(chosen: Record) -> bool:
    """Whether a chosen model keeps recall and average precision."""
    recall = max(chosen["recall_loss"].values())
    return bool(recall <= RECALL and chosen["average_precision_loss"] <= PRECISION)


def keeps_score(chosen: Record) -> bool:
    """Whether a model chosen by average precision keeps it."""
    return bool(chosen["average_precision_loss"] <= PRECISION_AS_SCORE)


def bars(records: list[Record]) -> list[Bar]:
    """The bars, judged on all records."""
    default, scored = ([item["chosen"][name] for item in records] for name in BUDGETS)
    return [
        _share("default budgets: runs that keep recall and average precision", default, keeps),
        _median("default budgets: x smaller", default),
        _share("score = average_precision: runs that keep it", scored, keeps_score),
        _median("score = average_precision: x smaller", scored),
    ]


def _share(name: str, chosen: list[Record], kept: Any) -> Bar:
    found = [kept(item) for item in chosen]
    value = float(np.mean(found)) if found else None
    return Bar(name, value, RUNS, at_least=True, note=f"{sum(found)} of {len(found)}")


def _median(name: str, chosen: list[Record]) -> Bar:
    sizes = [item["times_smaller"] for item in chosen]
    value = float(np.median(sizes)) if sizes else None
    return Bar(f"{name} (median of {len(sizes)})", value, SIZE, at_least=True)


def line(found: Record) -> str:
    """One record in one line."""
    parts = [f"{found['shape']}, {found['share']:.1%} positives, seed {found['seed']}"]
    for name, chosen in found["chosen"].items():
        lost = chosen["recall_loss"]["1"], chosen["average_precision_loss"]
        sizes = f"{chosen['candidate']} {chosen['times_smaller']:.0f}x"
        parts.append(f"{name}: {sizes}, recall {-lost[0]:+.3f}, AP {-lost[1]:+.3f}")
    return "; ".join(parts)


def write(folder: Path, records: list[Record], wanted: int) -> str:
    """Write both files into ``folder`` and return the Markdown."""
    judged = bars(records)
    content = {"bars": [bar.to_json() for bar in judged], "records": records}
    text = "\n".join((*_preface(records, wanted), markdown(judged), "", *_table(records), ""))
    write_json(folder / "budgets.json", content)
    write_bytes(folder / "budgets.md", text.encode())
    return text


def _preface(records: list[Record], wanted: int) -> list[str]:
    minutes = sum(item["seconds"] for item in records) / 60
    return [
        "# Budgets on tables of fraud, measured",
        "",
        f"Written by `python -m bench.budgets` in {minutes:.0f} minutes: {len(records)} tables",
        f"of {wanted}.",
        "",
        f"- Each table has {ROWS:,} rows of a generator of `bench/budgets/fraud.py`; a random",
        f"  forest of {TREES} trees is fitted on 64 % of them, and candidates are chosen on 16 %.",
        f"- The chosen model is judged against model.onnx on {FRESH:,} fresh rows of the same law.",
        f"- A run *keeps* if no class loses more than {RECALL} recall and average precision loses",
        f"  at most {PRECISION}; with average precision as score, if that loses at most",
        f"  {PRECISION_AS_SCORE}.",
        "",
    ]


def _table(records: list[Record]) -> list[str]:
    """A row for each shape and share: medians and worst of the seeds, and how many runs keep."""
    groups: dict[tuple[str, float], list[Record]] = defaultdict(list)
    for item in records:
        groups[item["shape"], item["share"]].append(item)
    lines = [
        f"| {' | '.join(HEADER)} |",
        "|---|---:|---:|---|---:|---:|---:|---:|---:|---|",
    ]
    for (shape, share), found in sorted(groups.items()):
        lines += [_row(shape, share, name, found) for name in BUDGETS]
    return lines


def _row(shape: str, share: float, name: str, found: list[Record]) -> str:
    chosen = [item["chosen"][name] for item in found]
    kept = sum((keeps if name == "default" else keeps_score)(item) for item in chosen)
    original = (float(np.mean([item[key] for item in found])) for key in METRICS)
    lost = [max(item["recall_loss"].values()) for item in chosen]
    precision = [item["average_precision_loss"] for item in chosen]
    other = [item["disagreement"] for item in chosen]
    cells = [
        shape,
        f"{share:.1%}",
        ", ".join(f"{value:.2f}" for value in original),
        name,
        f"{kept} of {len(chosen)}",
        f"{np.median([item['times_smaller'] for item in chosen]):.0f}",
        f"{max(lost):+.3f}",
        f"{max(precision):+.3f}",
        f"{max(other):.2%}",
        ", ".join(sorted({item["candidate"].removeprefix("forest/") for item in chosen})),
    ]
    return f"| {' | '.join(cells)} |"


HEADER = (
    "shape",
    "positives",
    "recall, AP of the original",
    "budgets",
    "kept",
    "x smaller",
    "most recall lost",
    "most AP lost",
    "most other answers",
    "chosen",
)
METRICS = ("recall", "average_precision")
