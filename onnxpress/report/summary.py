"""The summary of a run in words and numbers that a stranger understands.

A table with a row per model, what was chosen, and which limits were kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from onnxpress.models import MODELS, ORIGINAL
from onnxpress.report.runs_in import chosen_and_runs_in
from onnxpress.report.score_words import bound, number, percent, with_error
from onnxpress.report.scores import also_lines
from onnxpress.text import visible

Json = Mapping[str, Any]

HEADINGS = ["model", "KB", "size", "ms", "speed-up"]
"""The first columns; then come the score by its name, and :data:`AGREEMENT`."""
AGREEMENT = {
    "classification": ["other answer: test", "probes"],
    "regression": ["beyond tolerance: test", "probes"],
}
"""The last columns by task: shares of rows on which a model does not agree with the original."""
BOUND = "in brackets: 95 % upper bound of the share on rows like these"
HEADING_WIDTH = 11
"""Longest line of a heading in the console's table."""
ROWS_FOR_ONE_PERCENT = 299
"""Rows without a disagreement that bound its share by 1 %: the least n with 0.99 ** n <= 0.05."""


def print_summary(
    console: Console, title: str, results: Mapping[str, Json], original: str = "scikit-learn"
) -> None:
    """Print sizes, latencies, scores and agreement of the three models, and the gates.

    ``results`` are the contents of the chain's JSON outputs by the stem of the file's name; those
    of gate and publish may be missing. ``original`` is the name of the first model.
    """
    metrics, detail = results["metrics"], results["metrics_detail"]
    headings, rows = table(metrics, results["latency"], detail["score"]["name"], original)
    shown = Table(title=visible(title), caption=caption(metrics))
    for heading in headings:
        side: Any = "left" if heading == "model" else "right"
        shown.add_column(_broken(heading), justify=side)
    for row in rows:
        shown.add_row(*row)
    console.print(shown)
    verdicts = results.get("gate")
    failed = any(verdict["passed"] is False for verdict in (verdicts or {}).values())
    for line in (
        *also_lines(metrics, detail),
        *([worse] if (worse := detail["worse_probabilities"]) else []),
        conclusion(results["quantization"]),
        gates(verdicts),
        origin(results.get("mlflow_run"), earlier=failed),
    ):
        console.print(visible(line), soft_wrap=True)


def table(
    metrics: Json, latency: Json, score: str, original: str
) -> tuple[list[str], list[list[str]]]:
    """Return the headings and a row per model; what is undefined is a dash.

    ``score`` is the name of the score, ``original`` that of the first model.
    """
    rows = []
    for key, model in MODELS.items():
        row = [
            original if key == ORIGINAL else model.title,
            f"{metrics[f'{key}_size_kb']:,.1f}",
            _signed(metrics.get(f"{key}_size_reduction_pct")),
            f"{latency[f'{key}_latency_ms']:.3g}",
            _times(latency.get(f"{key}_speedup")),
            number(metrics.get(f"{key}_{score}")),
            _disagreement(metrics, key),
            _disagreement(metrics, f"{key}_probe"),
        ]
        rows.append(row)
    task = "regression" if "onnx_within_tolerance" in metrics else "classification"
    return [*HEADINGS, score, *AGREEMENT[task]], rows


def _disagreement(metrics: Json, prefix: str) -> str:
    """Return the share of rows with another answer than the original's, and its bound."""
    names = f"{prefix}_agreement", f"{prefix}_within_tolerance"
    agreement = next((metrics[name] for name in names if name in metrics), None)
    if agreement is None:
        return "-"
    upper = metrics.get(f"{prefix}_disagreement_upper")
    return percent(1 - agreement) + ("" if upper is None else f" ({bound(upper)})")


def caption(metrics: Json) -> str:
    """Return how many rows the latencies and bounds are for, and the thresholds that are hit."""
    parts = [f"ms: median latency of {min(metrics['test_rows'], 1024):.0f} rows in one call"]
    if "probe_thresholds" in metrics:
        hit, thresholds = metrics["probe_thresholds_hit"], metrics["probe_thresholds"]
        parts.append(f"probes: {hit:.0f} of {thresholds:.0f} thresholds hit")
    if "quantized_disagreement_upper" in metrics:
        parts.append(BOUND)
        if metrics["test_rows"] < ROWS_FOR_ONE_PERCENT:
            parts.append(f"a bound of 1 % takes {ROWS_FOR_ONE_PERCENT} test rows or more")
    return "; ".join(parts)


def conclusion(quantization: Json) -> str:
    """Return what was chosen, and which onnxruntime it needs."""
    return chosen_and_runs_in(quantization)


def gates(verdicts: Json | None) -> str:
    """Return how many limits were kept, and which were not."""
    if verdicts is None:
        return "no gate was applied yet"
    parts = []
    for word, passed in (("passed", True), ("FAILED", False)):
        names = [name for name, verdict in verdicts.items() if verdict["passed"] is passed]
        if names:
            count = f"{len(names)} gate{'s' * (len(names) > 1)}"
            parts.append(f"{count} {word}: {', '.join(names)}")
    unsure = [name for name, verdict in verdicts.items() if verdict.get("too_few_rows")]
    if unsure:
        shown = [f"{name} ({_beside(verdicts[name])})" for name in unsure]
        parts.append(f"the test rows are too few to tell: {', '.join(shown)}")
    return "; ".join(parts) or "all gates are off"


def _beside(verdict: Json) -> str:
    """Return the value of a gate with its standard error, if it has one, and the limit."""
    limit = f"limit {verdict['limit']:g}"
    if verdict["value"] is None:
        return limit
    return f"{with_error(verdict['value'], verdict.get('se'))}, {limit}"


def origin(run: Json | None, *, earlier: bool) -> str:
    """Return which MLflow run holds this; with ``earlier`` that run holds an earlier state."""
    if run is None:
        return "not published"
    place = f"MLflow run {run['run_id']} in experiment {run['experiment']} at {run['tracking_uri']}"
    return f"not published; an earlier state is {place}" if earlier else place


def _broken(heading: str) -> str:
    """Return a heading in lines: a name of many words is broken after some of its ``_``.

    ``neg_mean_absolute_error`` becomes ``neg_mean_``, ``absolute_`` and ``error``.
    """
    lines = [""]
    for word in re.findall("[^_]*_?", heading)[:-1]:
        if len(lines[-1] + word) > HEADING_WIDTH and lines[-1]:
            lines.append("")
        lines[-1] += word
    return "\n".join(lines)


def _signed(reduction_pct: float | None) -> str:
    return "-" if reduction_pct is None else f"{-reduction_pct:+.1f} %"


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.3g}x"
