"""Print the summary of the last run; with ``--json`` the data it is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stages.common.console import answering, json_asked
from stages.common.errors import run_stage
from stages.common.files import GATE, LATENCY, METRICS, MLFLOW_RUN, QUANTIZATION, read_json
from stages.common.params import Params, load_params
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
    if not told_as_json(params, results):
        print_summary(f"{params.train.estimator} on {params.data.source}", results)


def told_as_json(params: Params, results: Mapping[str, Any]) -> bool:
    """Print the results as one JSON document, if the command line asks for it: each file of ``NEEDED`` by its stem."""
    asked = json_asked("stages.report", "Print the summary of the last run.")
    with answering(in_json=asked) as answer:
        answer({"estimator": params.train.estimator, "data": params.data.source, **results})
    return asked


if __name__ == "__main__":
    run_stage("report", main)
