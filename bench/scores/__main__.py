"""Scan, print what is not equal, write the table: ``python -m bench.scores`` (see ``--help``)."""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.scores.case import Case
from bench.scores.compare import OPSET, Found, Outcome, scan
from bench.scores.page import markdown
from bench.scores.tables import TABLES
from onnxpress.pipeline.console import say
from onnxpress.pipeline.files import write_bytes
from onnxpress.pipeline.running import run_stage

RESULTS = Path(__file__).parents[1] / "results"
SAMPLE = 60


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.scores")
    parser.add_argument("--quick", action="store_true", help=f"a sample of {SAMPLE} combinations")
    parser.add_argument("--seed", type=int, default=0, help="of the sample (default: 0)")
    parser.add_argument("--only", default="", help="combinations whose name holds this text")
    parser.add_argument("--table", choices=list(TABLES), help="one table of combinations")
    parser.add_argument("--opset", type=int, default=OPSET, help=f"of ai.onnx (default: {OPSET})")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of scores.md")
    return parser.parse_args(arguments)


def chosen(asked: argparse.Namespace) -> dict[str, list[Case]]:
    """The combinations that are wanted, by table."""
    tables = {name: list(cases()) for name, cases in TABLES.items() if asked.table in (None, name)}
    wanted = [case for table in tables.values() for case in table if asked.only in case.name]
    if asked.quick:
        wanted = sample(wanted, SAMPLE, asked.seed)
    return {name: [case for case in table if case in wanted] for name, table in tables.items()}


def sample(cases: Sequence[Case], size: int, seed: int) -> list[Case]:
    """Some of the combinations, the same ones for a seed."""
    return random.Random(seed).sample(list(cases), min(size, len(cases)))  # noqa: S311 # no secret


def main() -> None:
    """Run what is wanted, and write the page."""
    asked = options(sys.argv[1:])
    tables: dict[str, list[Found]] = {}
    for name, cases in chosen(asked).items():
        tables[name] = []
        for case in cases:
            found = scan(case, asked.opset)
            tables[name].append(found)
            if found.outcome == Outcome.DIFFERENT:
                differs = f"{found.outcome} {found.difference:.1e}, {found.labels} labels"
                say(f"{case.name}: {differs} {found.reason[:200]}")
    write_bytes(
        asked.output / "scores.md",
        markdown({name: table for name, table in tables.items() if table}).encode(),
    )
    counts = [
        sum(found.outcome == outcome for table in tables.values() for found in table)
        for outcome in Outcome
    ]
    say(", ".join(f"{count} {outcome}" for count, outcome in zip(counts, Outcome, strict=True)))


if __name__ == "__main__":
    run_stage("scores", main)
