"""Hold the measured models against the limits of params.yaml: ``python -m stages.gate``."""

from __future__ import annotations

from stages.common.console import say
from stages.common.errors import GateFailed, run_stage
from stages.common.files import GATE, LATENCY, METRICS, read_numbers, write_json
from stages.common.params import load_params
from stages.gate.gates import complaint, judge


def main() -> None:
    """Write every verdict first, so that it can be read, and then fail if a gate failed."""
    limits = load_params().gate.model_dump()
    verdicts = judge(limits, read_numbers(METRICS) | read_numbers(LATENCY))
    write_json(GATE, {verdict.gate.name: verdict.to_json() for verdict in verdicts})
    for verdict in verdicts:
        say(f"{MARKS[verdict.passed]}: {verdict}")
    if failure := complaint(verdicts):
        raise GateFailed(failure)


MARKS = {True: "passed", False: "FAILED", None: "off"}

if __name__ == "__main__":
    run_stage("gate", main)
