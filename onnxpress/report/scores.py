"""Every score that was recorded, of the three models side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from onnxpress.models import MODELS
from onnxpress.report.score_words import number, with_error

Json = Mapping[str, Any]

ALWAYS = ("accuracy", "r2", "rmse")
"""Recorded for every model of the task."""
LOSSES = {"log_loss": "log loss", "brier": "Brier score", "calibration_error": "calibration error"}
"""Of probabilities, less is better: the metric and its name in words."""
TITLES = {"recall_worst": "recall of the worst class", "rmse": "RMSE (less is better)"} | {
    key: f"{words} (less is better)" for key, words in LOSSES.items()
}
HEADINGS = ["score", *(model.title for model in MODELS.values()), "worse by"]


def score_names(detail: Json) -> list[str]:
    """Return the chosen score and the others of ``evaluate.also``."""
    return list(dict.fromkeys([detail["score"]["name"], *detail["also"]]))


def score_rows(metrics: Mapping[str, float], detail: Json) -> list[list[str]]:
    """Return a row per score that the original has: its name, the three models, the loss.

    The loss of the quantised model is positive where it is worse, with its standard error.
    """
    names = [*score_names(detail), *ALWAYS, "recall_worst", *LOSSES]
    rows = []
    for name in dict.fromkeys(names):
        if f"original_{name}" not in metrics:
            continue
        cells = [number(metrics.get(f"{key}_{name}")) for key in MODELS]
        rows.append([TITLES.get(name, name), *cells, _loss(metrics, name)])
    rows += _rows_of_targets(detail)
    recall = "quantized_recall_worst_loss"
    if recall in metrics:
        loss = with_error(metrics[recall], metrics.get(f"{recall}_se"))
        rows.append(["largest loss of recall of a class", "-", "-", "-", loss])
    return rows


def _rows_of_targets(detail: Json) -> Iterator[list[str]]:
    """Yield the score of each of several targets alone."""
    for entry in detail.get("targets", ()):
        values = [entry[key] for key in MODELS]
        known = values[0] is not None and values[-1] is not None
        loss = with_error(values[0] - values[-1], None) if known else "-"
        yield [f"{detail['score']['name']} of {entry['target']}", *map(number, values), loss]


def _loss(metrics: Mapping[str, float], name: str) -> str:
    """Return by how much the quantised model is worse, as far as it is known."""
    key = f"quantized_{name}_drop"
    if key in metrics:
        return with_error(metrics[key], metrics.get(f"{key}_se"))
    if f"quantized_{name}" not in metrics:
        return "-"
    drop = metrics[f"original_{name}"] - metrics[f"quantized_{name}"]
    return with_error(-drop if name in {*LOSSES, "rmse"} else drop, None)


def also_lines(metrics: Mapping[str, float], detail: Json) -> Iterator[str]:
    """Yield a line for each score of ``evaluate.also``."""
    for name in score_names(detail)[1:]:
        if f"original_{name}" in metrics:
            shown = [
                f"{model.short} {number(metrics.get(f'{key}_{name}'))}"
                for key, model in MODELS.items()
            ]
            yield f"{name}: {', '.join(shown)}; worse by {_loss(metrics, name)}"
