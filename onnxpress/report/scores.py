"""Every score that was recorded, and whether probabilities got worse where labels agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from onnxpress.models import MODELS
from onnxpress.report.score_words import number, percent, with_error

Json = Mapping[str, Any]

ALWAYS = ("accuracy", "r2", "rmse")
"""Recorded for every model of the task."""
LOSSES = {"log_loss": "log loss", "brier": "Brier score", "calibration_error": "calibration error"}
"""Of probabilities, less is better: the metric and its name in words."""
TITLES = {"recall_worst": "recall of the worst class", "rmse": "RMSE (less is better)"} | {
    key: f"{words} (less is better)" for key, words in LOSSES.items()
}
HEADINGS = ["score", *(model.title for model in MODELS.values()), "worse by"]
SURE = 1.645
"""Standard errors beyond which a loss is not chance: the one-sided 95 % bound."""
MOST = 0.9
"""Share of labels that agree from which nobody would look for worse probabilities."""
LEAST_LOSSES = {"log_loss": 0.001, "brier": 0.0005}
"""What rounding or nothing of interest costs: less is not mentioned."""


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
    recall = "quantized_recall_worst_loss"
    if recall in metrics:
        loss = with_error(metrics[recall], metrics.get(f"{recall}_se"))
        rows.append(["largest loss of recall of a class", "-", "-", "-", loss])
    return rows


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


def probability_lines(metrics: Mapping[str, float]) -> Iterator[str]:
    """Yield a sentence if the quantised model's probabilities got worse, by more than chance.

    Scores of labels do not show it.
    """
    worse = [key for key in LEAST_LOSSES if _is_worse(metrics, key)]
    if not worse:
        return
    parts = [f"{LOSSES[key]} {_change(metrics, key)}" for key in worse]
    if "quantized_calibration_error" in metrics:
        parts.append(f"{LOSSES['calibration_error']} {_change(metrics, 'calibration_error')}")
    agreement = metrics.get("quantized_agreement", 0.0)
    though = f", though {percent(agreement)} of its labels agree" if agreement >= MOST else ""
    yield f"the quantised model's probabilities got worse{though}: {', '.join(parts)}"


def _is_worse(metrics: Mapping[str, float], key: str) -> bool:
    """Whether a loss is above chance and above :data:`LEAST_LOSSES`."""
    loss = metrics.get(f"quantized_{key}_drop")
    if loss is None:
        return False
    error = metrics.get(f"quantized_{key}_drop_se", 0.0)
    return loss > max(LEAST_LOSSES[key], SURE * error)


def _change(metrics: Mapping[str, float], key: str) -> str:
    """Return from what to what a loss has changed, with the standard error where it is known."""
    before, after = (number(metrics.get(f"{model}_{key}")) for model in ("original", "quantized"))
    error = metrics.get(f"quantized_{key}_drop_se")
    sure = "" if error is None else f" (worse by {_loss(metrics, key)})"
    return f"{before} -> {after}{sure}"
