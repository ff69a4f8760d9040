"""Compress forests on tables of fraud and judge what was lost: ``python -m bench.budgets``."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from bench.budgets import report
from bench.budgets.fraud import SHAPES
from bench.budgets.judge import Record, record
from onnxpress.benchmark.timed_calls import limited_threads
from onnxpress.pipeline.console import say
from onnxpress.pipeline.running import run_stage

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "bench" / "results"
SHARES = (0.005, 0.01, 0.032, 0.1)
SEEDS = 5
QUICK_SHAPES = ("hypercube", "rules")

Key = tuple[str, float, int]
"""What a record is about: shape, share of positives, seed."""


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.budgets")
    parser.add_argument("--quick", action="store_true", help="two shapes, one seed")
    parser.add_argument("--shapes", nargs="+", choices=list(SHAPES), default=list(SHAPES))
    parser.add_argument("--shares", nargs="+", type=float, default=list(SHARES))
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"default: {SEEDS}")
    parser.add_argument(
        "--minutes", type=float, default=90.0, help="start no further table after this long"
    )
    parser.add_argument(
        "--cache", type=Path, default=RESULTS / ".budgets.jsonl", help="finished tables"
    )
    parser.add_argument(
        "--output", type=Path, default=RESULTS, help="folder of budgets.json and budgets.md"
    )
    return parser.parse_args(arguments)


def fingerprint() -> str:
    """A digest of the sources that a record depends on."""
    digest = hashlib.sha256()
    for folder in ("onnxpress/quantize", "onnxpress/scores", "onnxpress/api", "bench/budgets"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if path.name not in ("__main__.py", "report.py"):
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def key(found: Record) -> Key:
    """What a record is about."""
    return found["shape"], found["share"], found["seed"]


def read(path: Path, mark: str) -> dict[Key, Record]:
    """The finished records of these sources."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    found = [json.loads(line) for line in lines if line.endswith("}")]
    return {key(item): item for item in found if item.pop("fingerprint") == mark}


def run(wanted: Sequence[Key], path: Path, minutes: float) -> list[Record]:
    """The records of all tables, from the cache or made now, as far as the time goes."""
    mark = fingerprint()
    known, end = read(path, mark), time.monotonic() + 60 * minutes
    for cell in wanted:
        if cell in known or time.monotonic() > end:
            continue
        with limited_threads(1):
            known[cell] = record(*cell)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"fingerprint": mark, **known[cell]}) + "\n")
        say(report.line(known[cell]))
    return [known[cell] for cell in wanted if cell in known]


def main() -> None:
    """Make the missing records, then write and print the tables."""
    asked = options(sys.argv[1:])
    shapes, seeds = (QUICK_SHAPES, 1) if asked.quick else (asked.shapes, asked.seeds)
    wanted = [
        (shape, share, seed) for seed, shape, share in product(range(seeds), shapes, asked.shares)
    ]
    records = run(wanted, asked.cache, asked.minutes)
    sys.stdout.write(report.write(asked.output, records, len(wanted)))


if __name__ == "__main__":
    run_stage("bench.budgets", main)
