"""The test rows that decide whether the quantised model keeps the score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.models import MODELS, ORIGINAL, QUANTIZED
from onnxpress.report.score_words import number
from onnxpress.text import shortened

Columns = Mapping[str, NDArray[np.str_]]
"""The target and each model's predictions on the test rows as text, each (rows,), or (rows,
targets)."""
Json = Mapping[str, Any]


@dataclass(frozen=True)
class DecidingTable:
    """The headings and rows of a table, and in words what they are."""

    headings: list[str]
    rows: list[list[str]]
    summary: str


def deciding_numbers(detail: Json) -> list[int]:
    """Return the numbers of the rows of metrics_detail.json that move the score most."""
    return [entry["row"] for entry in detail["deciding"]["rows"]]


def deciding_table(detail: Json, columns: Columns, total: int, target: str) -> DecidingTable:
    """Return the rows of metrics_detail.json that move the score most.

    ``columns`` are those of predictions.csv for these rows, of ``total``; ``target`` is the name of
    the target.
    """
    score, found = detail["score"]["name"], detail["deciding"]
    entries = found["rows"]
    with_probability = any("original_probability" in entry for entry in entries)
    models = [MODELS[key].title for key in (ORIGINAL, QUANTIZED)]
    headings = ["test row", f"true {target}", *models]
    if with_probability:
        headings.append("probability of the true class")
    rows = [
        _row(entry, place, columns, with_probability=with_probability)
        for place, entry in enumerate(entries)
    ]
    return DecidingTable(
        [shortened(heading) for heading in [*headings, f"moves {score} by"]],
        rows,
        _summary(score, found, total),
    )


def _row(entry: Json, place: int, columns: Columns, *, with_probability: bool) -> list[str]:
    answers = [np.atleast_1d(columns[name][place]) for name in ("target", ORIGINAL, QUANTIZED)]
    cells = [str(entry["row"]), *(", ".join(map(_answer, answer.tolist())) for answer in answers)]
    if with_probability:
        pair = [number(entry.get(f"{key}_probability")) for key in (ORIGINAL, QUANTIZED)]
        cells.append(" -> ".join(pair))
    return [*cells, f"{entry['effect']:+.3g}"]


def _answer(text: str) -> str:
    """Return an answer; a number with a fraction gets six digits."""
    try:
        return text if text.lstrip("-").isdigit() else f"{float(text):.6g}"
    except ValueError:
        return shortened(text)


def _summary(score: str, found: Json, total: int) -> str:
    """Return how many rows move the score, and how the effect is meant."""
    moving, shown = found["moving"], len(found["rows"])
    if not moving:
        return f"No test row moves {score}: both models answer alike wherever it counts."
    which = f"{moving:,}" if found["all_tried"] else f"At least {moving:,}"
    cut = f"; the {shown} that move it most are shown" if shown < moving else ""
    return (
        f"{which} of {total:,} test rows move {score}{cut}. A row moves it by the difference "
        "between the quantised model's score and that with the original's answer for this row: "
        "less than 0 where the quantised model loses."
    )
