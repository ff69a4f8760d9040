"""The end of a sweep on the console: the Pareto table, a line per failed point, and the error."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from onnxpress.commands.sweep.pareto import Entry, best
from onnxpress.commands.sweep.points import Sweep, shown
from onnxpress.pipeline.console import screen
from onnxpress.report.score_words import number
from onnxpress.text import visible


def print_table(sweep: Sweep, parent: str, entries: Sequence[Entry]) -> None:
    """Print the measured points from small to large, then the failed ones with their reason."""
    console = screen()
    console.print(table(sweep, entries))
    for entry in entries:
        if entry.outcome.reason:
            console.print(visible(f"failed: {entry.point}: {entry.outcome.reason}"), soft_wrap=True)
    console.print(
        f"MLflow: the children of the run {parent!r}; "
        "one of them into the workspace: dvc exp apply <experiment>"
    )


def table(sweep: Sweep, entries: Sequence[Entry]) -> Table:
    """Return the table with a row per measured point; ``*`` marks the front."""
    names = best(entries)
    result = Table(
        title=f"sweep {sweep.name}: {len(names)} of {len(entries)} points on the front",
        caption="* nothing is at least as good in size, latency and score, and better in one; "
        "all of the quantised model",
    )
    result.add_column("")
    result.add_column("experiment", no_wrap=True)
    for heading in headings(sweep.keys):
        result.add_column(visible(heading), overflow="fold")
    measured = [(entry, costs) for entry in entries if (costs := entry.costs)]
    scores = list(dict.fromkeys(str(entry.score_name) for entry, _ in measured))
    one = len(scores) == 1
    for heading in ("KB", "ms", scores[0] if one else "score"):
        result.add_column(heading, justify="right", no_wrap=True)
    for entry, (size_kb, latency_ms, cost) in sorted(measured, key=lambda row: row[1]):
        values = [
            Text(visible(shown(entry.point.values[key])) if key in entry.point.values else "")
            for key in sweep.keys
        ]
        score = number(-cost) if one else f"{entry.score_name} {number(-cost)}"
        numbers = (f"{size_kb:,.1f}", f"{latency_ms:.3g}", score)
        result.add_row(
            "*" if entry.point.name in names else "", entry.point.name, *values, *numbers
        )
    return result


def headings(keys: Sequence[str]) -> list[str]:
    """Return the last parts of dotted keys, or the keys themselves if two have the same one."""
    short = [key.rpartition(".")[2] for key in keys]
    return short if len(set(short)) == len(short) else list(keys)


def raise_failures(entries: Sequence[Entry]) -> None:
    """Raise the first failure that is not a gate's verdict, which is a result like any other.

    Raises:
        UserError: params or data are at fault, or an experiment was interrupted.
        ServerError: the tracking server was.
    """
    failed = [entry for entry in entries if entry.outcome.reason and not entry.outcome.gated]
    if failed:
        first, outcome = failed[0].point, failed[0].outcome
        counts = f"{len(failed)} of {len(entries)} points failed"
        raise outcome.error(f"{counts}, first {first}: {outcome.reason}")
