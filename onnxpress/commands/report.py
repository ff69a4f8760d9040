"""Print the summary of the last run; ``--html`` also writes outputs/report.html, ``--json`` prints the data it is made of."""

from __future__ import annotations

import argparse

from onnxpress.pipeline.console import add_json, answering, say
from onnxpress.pipeline.files import read_json
from onnxpress.pipeline.outputs import GATE, LATENCY, METRICS, MLFLOW_RUN, QUANTIZATION, REPORT
from onnxpress.pipeline.params import load_params
from onnxpress.pipeline.running import run_stage
from onnxpress.report.summary import print_summary

NEEDED = {METRICS: ["test_rows"], LATENCY: [], QUANTIZATION: ["summary", "min_onnxruntime"]}
"""The files of a chain that has come as far as benchmark, and keys that are read by name."""
LATER = {GATE: [], MLFLOW_RUN: ["run_id", "experiment", "tracking_uri"]}
"""The files of a chain that was not stopped by a gate."""


def main() -> None:
    """The outputs of the chain in; a table on the console, and a page to read in a browser, out."""
    parser = argparse.ArgumentParser(
        prog="python -m onnxpress.commands.report", description="Print the summary of the last run."
    )
    parser.add_argument("--html", action="store_true", help=f"also write {REPORT}")
    add_json(parser)
    asked = parser.parse_args()
    params = load_params()
    title = f"{params.train.title} on {params.data.source}"
    original = (
        "ONNX as given" if (params.train.model_path or "").endswith(".onnx") else "scikit-learn"
    )
    found = NEEDED | {path: keys for path, keys in LATER.items() if path.exists()}
    results = {path.stem: read_json(path, *keys) for path, keys in found.items()}
    with answering(in_json=asked.json) as answer:
        if asked.html:
            from onnxpress.report.writing import (
                write_report,  # a table on the console needs none of it
            )

            write_report(title, results, original)
        answer({"estimator": params.train.title, "data": params.data.source, **results})
        if not asked.json:
            print_summary(title, results, original)
        if asked.html:
            say(f"written: {REPORT}")


if __name__ == "__main__":
    run_stage("report", main)
