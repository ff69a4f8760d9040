"""Print the summary of the last run."""

from __future__ import annotations

from stages.common.errors import run_stage
from stages.common.files import GATE, LATENCY, METRICS, MLFLOW_RUN, QUANTIZATION, read_json
from stages.common.params import load_params
from stages.report.summary import print_summary

NEEDED = {
    METRICS: ["test_rows"],
    LATENCY: [],
    QUANTIZATION: ["summary", "min_onnxruntime"],
    GATE: [],
    MLFLOW_RUN: ["run_id", "experiment", "tracking_uri"],
}
"""The files of a finished chain, and keys that the summary reads by name."""


def main() -> None:
    """The JSON outputs of the chain in, a table on the console out."""
    params = load_params()
    results = {path.stem: read_json(path, *keys) for path, keys in NEEDED.items()}
    original = "ONNX as given" if (params.train.model_path or "").endswith(".onnx") else "scikit-learn"
    print_summary(f"{params.train.title} on {params.data.source}", results, original)


if __name__ == "__main__":
    run_stage("report", main)
