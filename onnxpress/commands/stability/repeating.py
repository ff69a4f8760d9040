"""Repeat the chain over seeds, and count how often each gate fails."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from onnxpress.commands.snapshot import present_files, take
from onnxpress.commands.stability.chains import BROUGHT, Run, attempt
from onnxpress.engine.choosing import engine_at
from onnxpress.engine.engine import in_order
from onnxpress.errors import UserError
from onnxpress.pipeline.console import answering, progress, say, screen
from onnxpress.pipeline.outputs import PARAMS
from onnxpress.pipeline.params import load_params
from onnxpress.pipeline.yaml_file import read_yaml

SEEDS = 10


@dataclass(frozen=True)
class Stability:
    """What a gate said over all runs."""

    gate: str
    limit: float
    failed: int
    """Runs in which it fails."""
    runs: int
    """Runs in which it applies."""
    median: float | None
    """Of the gated values; None where they are undefined."""
    worst: float | None
    """The value furthest on the failing side."""


def main(seeds: int = SEEDS, *, in_json: bool = False) -> None:
    """Run the chain for ``seeds`` seeds from that of params.yaml on; print how the gates did.

    Nothing under outputs/ is read or written.

    Raises:
        UserError: a stage rejects its input with the first seed.
    """
    params = load_params()
    first, given = params.seed, params.train.model_path
    content = read_yaml(PARAMS, "the sections of the stages")
    with answering(in_json=in_json) as answer:
        if given:
            say(f"{given} stays as it is: rows that it was fitted on can be among the test rows")
        runs, failures = _runs(content, range(first, first + seeds), params.engine.scheduler)
        gates = summarise(runs)
        answer(
            {
                "gates": {each.gate: _without_name(each) for each in gates},
                "runs": [run.to_json() for run in runs],
                "failures": {str(seed): line for seed, line in failures.items()},
            }
        )
        if not in_json:
            _print(runs, gates, failures)


def _runs(
    content: Mapping[str, Any], seeds: range, scheduler: str | None
) -> tuple[list[Run], dict[int, str]]:
    """The runs that reached the gates, and the line of each that did not, by its seed.

    Raises:
        UserError: the first one does not.
    """
    runs: list[Run] = []
    failures: dict[int, str] = {}
    snapshot = take(present_files(*BROUGHT)) if scheduler else None
    with engine_at(scheduler, say) as engine:
        found = in_order(engine, attempt, seeds, content, engine.share(snapshot))
        what = "running the chain with other seeds"
        for seed, run in zip(seeds, progress(found, len(seeds), what), strict=True):
            if isinstance(run, Run):
                runs.append(run)
            elif not runs:
                raise UserError(f"with seed {seed}: {run}") from run
            else:
                failures[seed] = str(run)
    return runs, failures


def summarise(runs: Sequence[Run]) -> list[Stability]:
    """Return what each gate said over all runs, in the order of gate.json."""
    names = dict.fromkeys(name for run in runs for name in run.gates)
    return [
        _stability(name, [run.gates[name] for run in runs if name in run.gates]) for name in names
    ]


def _stability(name: str, entries: Sequence[Mapping[str, Any]]) -> Stability:
    values = [entry["value"] for entry in entries if entry["value"] is not None]
    worst = min if name.startswith("min_") else max
    return Stability(
        name,
        entries[0]["limit"],
        sum(entry["passed"] is False for entry in entries),
        len(entries),
        statistics.median(values) if values else None,
        worst(values) if values else None,
    )


def _without_name(stability: Stability) -> dict[str, Any]:
    return {key: value for key, value in asdict(stability).items() if key != "gate"}


def _print(runs: Sequence[Run], gates: Sequence[Stability], failures: Mapping[int, str]) -> None:
    console = screen()
    console.print(table(gates, len(runs)))
    chosen = Counter(run.candidate for run in runs)
    names = ", ".join(f"{name} in {count}" for name, count in chosen.most_common())
    sizes = [run.times_smaller for run in runs]
    spread = f"{min(sizes):.1f} to {max(sizes):.1f} times smaller"
    console.print(f"chosen: {names}; {spread}, median {statistics.median(sizes):.1f}")
    for seed, line in failures.items():
        console.print(f"seed {seed} did not reach the gates: {line}", soft_wrap=True)


def table(gates: Sequence[Stability], runs: int) -> Table:
    """Return a row for each gate that has a limit."""
    caption = "gates on latency are left out"
    title = f"{runs} seeds: split, fit, choice and test repeated"
    result = Table(title=title, caption=caption)
    result.add_column("gate", no_wrap=True)
    for heading in ("limit", "would fail", "median", "worst"):
        result.add_column(heading, justify="right", no_wrap=True)
    for each in gates:
        numbers = [_number(value) for value in (each.median, each.worst)]
        count = f"{each.failed} of {each.runs}"
        result.add_row(each.gate, _number(each.limit), count, *numbers)
    return result


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4g}"
