"""Hold the measured models against the limits of params.yaml: ``python -m stages.gate``."""

from __future__ import annotations

from onnxpress.errors import GateFailed
from onnxpress.gates import FAILING_RUNTIMES, RUNTIMES, complaint, judge
from onnxpress.pipeline.console import say
from onnxpress.pipeline.files import read_json, read_numbers, write_json
from onnxpress.pipeline.outputs import GATE, LATENCY, METRICS, QUANTIZATION
from onnxpress.pipeline.params import load_params
from onnxpress.pipeline.running import run_stage

AGAIN = "measure again on a quiet machine (dvc repro -f -s benchmark)"


def main() -> None:
    """Write every verdict first, so that it can be read, and then fail if a gate failed."""
    limits = load_params().gate.model_dump()
    metrics = read_numbers(METRICS) | read_numbers(LATENCY)
    if limits[RUNTIMES]:
        found = read_json(QUANTIZATION, RUNTIMES)[RUNTIMES]
        metrics[FAILING_RUNTIMES] = sum(what != "answers equally" for what in found.values())
    verdicts = judge(limits, metrics, f"in neither {METRICS} nor {LATENCY}")
    write_json(GATE, {verdict.gate.name: verdict.to_json() for verdict in verdicts})
    for verdict in verdicts:
        say(f"{verdict.mark}: {verdict}")
    if failure := complaint(verdicts, AGAIN):
        raise GateFailed(f"{failure}; or change the limit in params.yaml")


if __name__ == "__main__":
    run_stage("gate", main)
