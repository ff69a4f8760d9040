"""Queue and run the points of a sweep file as DVC experiments, and print the Pareto table: ``make sweep``."""

from __future__ import annotations

import argparse
from pathlib import Path

from onnxpress.commands.sweep.pareto import Entry, as_json
from onnxpress.commands.sweep.points import read_sweep
from onnxpress.commands.sweep.runner import run
from onnxpress.commands.sweep.table import print_table, raise_failures
from onnxpress.commands.sweep.workspace import alone, head, refuse_untracked, state
from onnxpress.pipeline.console import add_json, answering
from onnxpress.pipeline.running import run_stage

KEPT = "finished points are kept, `make sweep` goes on from here"


def main() -> None:
    """A sweep file in; experiments, a table, and an exit code of the first failure that no gate explains out."""
    parser = argparse.ArgumentParser(
        prog="python -m onnxpress.commands.sweep",
        description="Run a grid or a list of experiments.",
    )
    parser.add_argument(
        "file", nargs="?", type=Path, default=Path("sweep.yaml"), help="default: sweep.yaml"
    )
    add_json(parser)
    asked = parser.parse_args()
    with answering(in_json=asked.json) as answer, alone():
        sweep = read_sweep(asked.file, state())
        refuse_untracked(sweep)
        parent = f"{sweep.name} on {head()[:7]}"
        outcomes = run(sweep, parent)
        entries = [Entry(point, outcomes[point.name]) for point in sweep.points]
        answer(as_json(sweep.name, parent, entries))
        print_table(sweep, parent, entries)
        raise_failures(entries)


if __name__ == "__main__":
    run_stage("sweep", main, KEPT, insist=False)
