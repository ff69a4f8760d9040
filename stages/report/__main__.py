"""Print the summary of the last run."""

from __future__ import annotations

from stages.common.errors import run_stage
from stages.common.files import GATE, LATENCY, METRICS, MLFLOW_RUN, QUANTIZATION, read_json
from stages.common.params import load_params
from stages.report.summary import print_summary


def main() -> None:
    """The JSON outputs of the chain in, a table on the console out."""
    params = load_params()
    results = {path.stem: read_json(path) for path in (METRICS, LATENCY, QUANTIZATION, GATE, MLFLOW_RUN)}
    print_summary(f"{params.train.estimator} on {params.data.source}", results)


if __name__ == "__main__":
    run_stage("report", main)
