"""The table at the end of ``make all``: three models, a line each, in words that a stranger understands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from stages.common.console import screen

Json = Mapping[str, Any]


def print_summary(title: str, results: Mapping[str, Json]) -> None:
    """Print sizes, latencies, scores and agreement of the three models, the gates, and where to look next.

    ``results`` are the contents of the chain's JSON outputs by the stem of their file's name.
    """
    quantization, run = results["quantization"], results["mlflow_run"]
    console = screen()
    console.print(table(title, results["metrics"], results["latency"]))
    console.print(f"{quantization['summary']}; runs in onnxruntime {quantization['min_onnxruntime']} and newer", soft_wrap=True)
    passed = [name for name, verdict in results["gate"].items() if verdict["passed"]]
    console.print(f"{len(passed)} gates passed: {', '.join(passed)}", soft_wrap=True)
    console.print(f"MLflow run {run['run_id']} in experiment {run['experiment']} at {run['tracking_uri']}", soft_wrap=True)
    console.print("next: make ui | dvc metrics diff | dvc exp run -S quantize.method=none | edit params.yaml and dvc repro")


def table(title: str, metrics: Json, latency: Json) -> Table:
    """A row per model; what is not defined for a task is a dash."""
    classification = "original_accuracy" in metrics
    agrees, probes = ("agreement", "probe_agreement") if classification else ("within_tolerance", "probe_within_tolerance")
    score = "accuracy" if classification else "r2"
    result = Table(title=title, caption=f"ms: median latency of {min(metrics['test_rows'], 1024):.0f} rows in one call")
    for heading in ("model", "KB", "size", "ms", "speed-up", score, "same answer: test", "probes"):
        result.add_column(heading, justify="left" if heading == "model" else "right")
    for key, name in {"original": "scikit-learn", "onnx": "ONNX", "quantized": "ONNX, quantised"}.items():
        result.add_row(
            name,
            f"{metrics[f'{key}_size_kb']:,.1f}",
            _signed(metrics.get(f"{key}_size_reduction_pct")),
            f"{latency[f'{key}_latency_ms']:.3g}",
            _times(latency.get(f"{key}_speedup")),
            _share(metrics.get(f"{key}_{score}")),
            _share(metrics.get(f"{key}_{agrees}")),
            _share(metrics.get(f"{key}_{probes}")),
        )
    return result


def _signed(reduction_pct: float | None) -> str:
    return "-" if reduction_pct is None else f"{-reduction_pct:+.1f} %"


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.3g}x"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
