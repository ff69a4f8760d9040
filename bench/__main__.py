"""Run the suite and store its table and bars: ``python -m bench`` (see ``--help``)."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench import cache, report
from bench.data import DATA, ESTIMATORS, GENERATED, split_of
from bench.suite import Record, Settings, record
from onnxpress.benchmark.timed_calls import limited_threads
from onnxpress.pipeline.console import say
from onnxpress.pipeline.running import run_stage

RESULTS = Path(__file__).parent / "results"
SPLITS, SPLITS_OF_GENERATED = 10, 2
QUICK_DATA, QUICK_SPLITS, QUICK_SECONDS = ["iris", "wine"], 2, 1.0


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__.split(":")[0] if __doc__ else None
    )
    parser.add_argument("--data", nargs="+", choices=DATA, help="data sets (default: all)")
    parser.add_argument("--estimators", nargs="+", choices=ESTIMATORS, default=list(ESTIMATORS))
    parser.add_argument(
        "--splits",
        type=int,
        help=f"default {SPLITS}, and {SPLITS_OF_GENERATED} of the generated data sets",
    )
    parser.add_argument(
        "--quick", action="store_true", help="iris and wine, two splits, short timings"
    )
    parser.add_argument("--trees", type=int, default=Settings.trees)
    parser.add_argument(
        "--max-accuracy-drop", type=float, default=Settings.budget, help="budget of refined models"
    )
    parser.add_argument("--seconds", type=float, help="time for each batch size of each model")
    parser.add_argument(
        "--probes", type=int, default=Settings.probes, help="rows at the split thresholds"
    )
    parser.add_argument(
        "--minutes", type=float, default=40.0, help="start no further split after this long"
    )
    parser.add_argument(
        "--cache", type=Path, default=RESULTS / ".rows.jsonl", help="finished rows, to go on from"
    )
    parser.add_argument(
        "--output", type=Path, default=RESULTS, help="folder of forests.json and forests.md"
    )
    return parser.parse_args(arguments)


def cells(
    data: Sequence[str], estimators: Sequence[str], splits: int | None
) -> Iterator[cache.Key]:
    """All cells, the first split of everything first: a run cut short still has every row."""
    number = dict.fromkeys(data, splits or SPLITS)
    number |= {
        name: min(splits or SPLITS, SPLITS_OF_GENERATED) for name in data if name in GENERATED
    }
    for split in range(max(number.values())):
        yield from (
            (name, estimator, split)
            for name in data
            if split < number[name]
            for estimator in estimators
        )


def run(
    wanted: Sequence[cache.Key], settings: Settings, path: Path, minutes: float
) -> list[Record]:
    """The records of all cells, from the cache or made now.

    After ``minutes`` only first splits are still made.
    """
    mark = cache.fingerprint(settings)
    known, end = cache.read(path, mark), time.monotonic() + 60 * minutes
    for name, estimator, split in wanted:
        if (name, estimator, split) in known or (split and time.monotonic() > end):
            continue
        start = time.monotonic()
        with limited_threads(1):
            made = record(estimator, split_of(name, split), settings)
        made["seconds"] = time.monotonic() - start
        cache.append(path, made, mark)
        known[name, estimator, split] = made
        say(f"{name} {estimator}, split {split}: {made['seconds']:.1f} s")
    return [known[cell] for cell in wanted if cell in known]


def main() -> None:
    """Make the missing records, then write and print the table."""
    asked = options(sys.argv[1:])
    data = asked.data or (QUICK_DATA if asked.quick else list(DATA))
    splits = asked.splits or (QUICK_SPLITS if asked.quick else None)
    seconds = asked.seconds or (QUICK_SECONDS if asked.quick else Settings.seconds)
    settings = Settings(asked.trees, asked.max_accuracy_drop, seconds, asked.probes)
    records = run(list(cells(data, asked.estimators, splits)), settings, asked.cache, asked.minutes)
    sys.stdout.write(report.write(asked.output, records, settings))


if __name__ == "__main__":
    run_stage("bench", main)
