"""Queue and run the points of a sweep file as DVC experiments, and print the Pareto table."""

from __future__ import annotations

from pathlib import Path

from onnxpress.commands.mend import main as mend
from onnxpress.commands.sweep.kept import restore
from onnxpress.commands.sweep.pareto import Entry, as_json
from onnxpress.commands.sweep.points import read_sweep
from onnxpress.commands.sweep.runner import run
from onnxpress.commands.sweep.table import print_table, raise_failures
from onnxpress.commands.sweep.workspace import alone, head, refuse_untracked, state
from onnxpress.pipeline.console import answering
from onnxpress.pipeline.params import load_params


def main(file: Path, *, in_json: bool = False) -> None:
    """Run what is left of the points in a sweep ``file`` and print the table of all.

    Raises:
        UserError: the file is wrong, or a point failed for another reason than a gate.
        ServerError: the cluster failed, or a point because of the tracking server.
    """
    with answering(in_json=in_json) as answer, alone():
        mend()
        restore()
        sweep = read_sweep(file, state())
        refuse_untracked(sweep)
        parent = f"{sweep.name} on {head()[:7]}"
        outcomes = run(sweep, parent, load_params().engine.scheduler)
        entries = [Entry(point, outcomes[point.name]) for point in sweep.points]
        answer(as_json(sweep.name, parent, entries))
        print_table(sweep, parent, entries)
        raise_failures(entries)
