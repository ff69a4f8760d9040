"""Print the summary of the last run, and write it as a page."""

from __future__ import annotations

from pathlib import Path

from onnxpress.pipeline.console import answering, say, screen
from onnxpress.pipeline.files import read_json
from onnxpress.pipeline.outputs import (
    GATE,
    LATENCY,
    METRICS,
    METRICS_DETAIL,
    MLFLOW_RUN,
    QUANTIZATION,
    REPORT,
)
from onnxpress.pipeline.params import load_params
from onnxpress.report.summary import print_summary

NEEDED = {
    METRICS: ["test_rows"],
    METRICS_DETAIL: ["score", "also", "findings", "worse_probabilities", "reliability", "deciding"],
    LATENCY: [],
    QUANTIZATION: ["summary", "min_onnxruntime"],
}
"""The files of a chain up to benchmark, and keys that are read by name."""
LATER = {GATE: [], MLFLOW_RUN: ["run_id", "experiment", "tracking_uri"]}
"""The files of a chain that was not stopped by a gate."""
NEXT = (
    "next: make ui | dvc metrics diff | dvc exp run -S quantize.method=none"
    " | edit params.yaml and dvc repro"
)
"""What to look at and to try after a run."""


def main(*, html: bool = False, in_json: bool = False) -> None:
    """Print a table of the outputs, or with ``in_json`` the data it is made of.

    ``html`` also writes outputs/report.html, a page to read in a browser.
    """
    params = load_params()
    title = f"{params.train.title} on {params.data.source}"
    kinds = {".onnx": "ONNX as given", ".pt2": "PyTorch as given"}
    original = kinds.get(Path(params.train.model_path or "").suffix, "scikit-learn")
    found = NEEDED | {path: keys for path, keys in LATER.items() if path.exists()}
    results = {path.stem: read_json(path, *keys) for path, keys in found.items()}
    with answering(in_json=in_json) as answer:
        if html:
            # a table on the console needs none of it
            from onnxpress.commands.report_page import write_report

            write_report(title, results, original)
        answer({"estimator": params.train.title, "data": params.data.source, **results})
        if not in_json:
            console = screen()
            print_summary(console, title, results, original)
            console.print(NEXT)
        if html:
            say(f"written: {REPORT}")
