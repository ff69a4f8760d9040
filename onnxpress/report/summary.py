"""The summary of a run in words and numbers that a stranger understands: a row per model, and what became of the limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from onnxpress.pipeline.console import screen
from onnxpress.report.runs_in import chosen_and_runs_in
from onnxpress.text import visible

Json = Mapping[str, Any]


def print_summary(title: str, results: Mapping[str, Json], original: str = "scikit-learn") -> None:
    """Print sizes, latencies, scores and agreement of the three models, the gates, and where to look next.

    ``results`` are the contents of the chain's JSON outputs by the stem of their file's name; those of gate and publish
    may be missing, for a run that did not come so far. ``original`` is the name of the first model.
    """
    console = screen()
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
    console.print(
        "next: make ui | dvc metrics diff | dvc exp run -S quantize.method=none | edit params.yaml and dvc repro"
    )


def table(metrics: Json, latency: Json, original: str) -> tuple[list[str], list[list[str]]]:
    """The headings, and a row per model; what is not defined for a task is a dash."""
    classification = "original_accuracy" in metrics
    agrees, probes = (
        ("agreement", "probe_agreement")
        if classification
        else ("within_tolerance", "probe_within_tolerance")
    )
    score = "accuracy" if classification else "r2"
    rows = [
        [
            name,
            f"{metrics[f'{key}_size_kb']:,.1f}",
            _signed(metrics.get(f"{key}_size_reduction_pct")),
            f"{latency[f'{key}_latency_ms']:.3g}",
            _times(latency.get(f"{key}_speedup")),
            _share(metrics.get(f"{key}_{score}")),
            _share(metrics.get(f"{key}_{agrees}")),
            _share(metrics.get(f"{key}_{probes}")),
        ]
        for key, name in {
            "original": original,
            "onnx": "ONNX",
            "quantized": "ONNX, quantised",
        }.items()
    ]
    return ["model", "KB", "size", "ms", "speed-up", score, "same answer: test", "probes"], rows


def caption(metrics: Json) -> str:
    """What the table's latencies are of, and how many thresholds the probes hit."""
    latencies = f"ms: median latency of {min(metrics['test_rows'], 1024):.0f} rows in one call"
    if "probe_thresholds" not in metrics:
        return latencies
    return f"{latencies}; probes: {metrics['probe_thresholds_hit']:.0f} of {metrics['probe_thresholds']:.0f} thresholds hit"


def conclusion(quantization: Json) -> str:
    """What was chosen, and what it needs."""
    return chosen_and_runs_in(quantization)


def gates(verdicts: Json | None) -> str:
    """How many limits were kept, and which were not."""
    if verdicts is None:
        return "no gate was applied yet; run `dvc repro`"
    named = {
        said: [name for name, verdict in verdicts.items() if verdict["passed"] is passed]
        for said, passed in (("passed", True), ("FAILED", False))
    }
    return (
        "; ".join(
            f"{len(names)} gates {said}: {', '.join(names)}"
            for said, names in named.items()
            if names
        )
        or "all gates are off"
    )


def origin(run: Json | None, *, earlier: bool) -> str:
    """Which MLflow run holds this, or, ``earlier``, what was there before."""
    if run is None:
        return "not published"
    told = f"MLflow run {run['run_id']} in experiment {run['experiment']} at {run['tracking_uri']}"
    return f"not published; an earlier state is {told}" if earlier else told


def _signed(reduction_pct: float | None) -> str:
    return "-" if reduction_pct is None else f"{-reduction_pct:+.1f} %"


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.3g}x"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
