"""Run every case, print the table and store it: ``python -m bench.coverage`` (see ``--help``)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import cache
from bench.coverage.cases import SEED, Case, every_case
from bench.coverage.chain import Record, record
from bench.coverage.table import markdown, summary
from bench.report import environment
from bench.suite import Settings
from onnxpress.pipeline.console import say
from onnxpress.pipeline.files import write_bytes, write_json
from onnxpress.pipeline.running import run_stage
from onnxpress.quantize.options import Options

RESULTS = Path(__file__).parents[1] / "results"
QUICK = (
    "LogisticRegression",
    "RandomForestClassifier",
    "NearestCentroid",
    "Ridge",
    "HistGradientBoostingRegressor",
)


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.coverage")
    parser.add_argument("--estimators", nargs="+", help="scikit-learn's names (default: all)")
    parser.add_argument("--quick", action="store_true", help=f"only {', '.join(QUICK)}")
    parser.add_argument(
        "--cache",
        type=Path,
        default=RESULTS / ".coverage.jsonl",
        help="finished rows, to go on from",
    )
    parser.add_argument(
        "--output", type=Path, default=RESULTS, help="folder of coverage.json and coverage.md"
    )
    return parser.parse_args(arguments)


def run(cases: Sequence[Case], path: Path) -> list[Record]:
    """The records of all cases, from the cache or made now."""
    mark, options = cache.fingerprint(Settings()), Options(seed=SEED)
    known = cache.read(path, mark)
    records = []
    for case in cases:
        key = (case.data, case.estimator, 0)
        if key not in known:
            made = record(case, options)
            cache.append(path, made, mark)
            say(f"{case.estimator}, {case.place}: {made['outcome']} ({made['seconds']:.1f} s)")
            known[key] = made
        records.append(known[key])
    return records


def main() -> None:
    """Make the missing records, then write and print the table."""
    asked = options(sys.argv[1:])
    wanted = asked.estimators or (QUICK if asked.quick else None)
    cases = [case for case in every_case() if wanted is None or case.estimator in wanted]
    records = run(cases, asked.cache)
    found = summary(records)
    text = markdown(records, found)
    write_json(
        asked.output / "coverage.json",
        {"environment": environment(), "rows": records, "summary": found},
    )
    write_bytes(asked.output / "coverage.md", text.encode())
    sys.stdout.write(text)


if __name__ == "__main__":
    run_stage("coverage", main)
