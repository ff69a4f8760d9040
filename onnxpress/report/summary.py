"""The summary of a run in words and numbers that a stranger understands.

A table with a row per model, what was chosen, and which limits were kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from onnxpress.models import MODELS, ORIGINAL
from onnxpress.report.runs_in import chosen_and_runs_in
from onnxpress.text import visible

Json = Mapping[str, Any]

HEADINGS = ["model", "KB", "size", "ms", "speed-up"]
"""The first columns; then come the score by its name, and :data:`AGREEMENT`."""
AGREEMENT = ["same answer: test", "probes"]


def print_summary(
    console: Console, title: str, results: Mapping[str, Json], original: str = "scikit-learn"
) -> None:
    """Print sizes, latencies, scores and agreement of the three models, and the gates.

    ``results`` are the contents of the chain's JSON outputs by the stem of the file's name; those
    of gate and publish may be missing. ``original`` is the name of the first model.
    """
    headings, rows = table(results["metrics"], results["latency"], original)
    shown = Table(title=visible(title), caption=caption(results["metrics"]))
    for heading in headings:
        shown.add_column(heading, justify="left" if heading == "model" else "right")
    for row in rows:
        shown.add_row(*row)
    console.print(shown)
    verdicts = results.get("gate")
    failed = any(verdict["passed"] is False for verdict in (verdicts or {}).values())
    for line in (
        conclusion(results["quantization"]),
        gates(verdicts),
        origin(results.get("mlflow_run"), earlier=failed),
    ):
        console.print(visible(line), soft_wrap=True)


def table(metrics: Json, latency: Json, original: str) -> tuple[list[str], list[list[str]]]:
    """Return the headings and a row per model; what is undefined for a task is a dash."""
    if "original_accuracy" in metrics:
        names = "accuracy", "agreement", "probe_agreement"
    else:
        names = "r2", "within_tolerance", "probe_within_tolerance"
    rows = []
    for key, model in MODELS.items():
        row = [
            original if key == ORIGINAL else model.title,
            f"{metrics[f'{key}_size_kb']:,.1f}",
            _signed(metrics.get(f"{key}_size_reduction_pct")),
            f"{latency[f'{key}_latency_ms']:.3g}",
            _times(latency.get(f"{key}_speedup")),
        ]
        rows.append(row + [_share(metrics.get(f"{key}_{name}")) for name in names])
    return [*HEADINGS, names[0], *AGREEMENT], rows


def caption(metrics: Json) -> str:
    """Return how many rows the latencies are for, and how many thresholds the probes hit."""
    latencies = f"ms: median latency of {min(metrics['test_rows'], 1024):.0f} rows in one call"
    if "probe_thresholds" not in metrics:
        return latencies
    hit, thresholds = metrics["probe_thresholds_hit"], metrics["probe_thresholds"]
    return f"{latencies}; probes: {hit:.0f} of {thresholds:.0f} thresholds hit"


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
            parts.append(f"{len(names)} gates {word}: {', '.join(names)}")
    return "; ".join(parts) or "all gates are off"


def origin(run: Json | None, *, earlier: bool) -> str:
    """Return which MLflow run holds this; with ``earlier`` that run holds an earlier state."""
    if run is None:
        return "not published"
    place = f"MLflow run {run['run_id']} in experiment {run['experiment']} at {run['tracking_uri']}"
    return f"not published; an earlier state is {place}" if earlier else place


def _signed(reduction_pct: float | None) -> str:
    return "-" if reduction_pct is None else f"{-reduction_pct:+.1f} %"


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.3g}x"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
