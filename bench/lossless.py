"""Lossless models beside model.onnx: ``python -m bench.lossless`` writes lossless.md.

The suite's models are written as ``level: lossless`` writes them, and called in turns with 1, 32
and 1,024 rows. Each call gets other rows than the one before: a processor learns by heart which way
one row goes through a forest, which makes a call up to ten times as fast as with rows that differ.
What is measured is the time that the processor works on a call, so that other work on the machine
counts little. A ratio is the median of the ratios within rounds, with its 95 % interval.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from bench.data import DATA, ESTIMATORS, split_of, unfitted
from onnxpress.benchmark.timed_calls import limited_threads
from onnxpress.conversion.converting import to_onnx
from onnxpress.estimators.fitting import fit
from onnxpress.graph.canonical import to_bytes
from onnxpress.pipeline.console import say
from onnxpress.pipeline.files import write_bytes
from onnxpress.pipeline.running import run_stage
from onnxpress.quantize.forest.levels import forest_candidates
from onnxpress.quantize.options import Options
from onnxpress.runtime.sessions import open_session
from onnxpress.tables.rows import Feeds, Rows, take

RESULTS = Path(__file__).parent / "results" / "lossless.md"
OPSET, TREES = 12, 100
CALLS = {1: 200, 32: 20, 1024: 1}
"""By rows a call: how many calls, each with other rows, one value is the mean of."""
LEAST_ROUNDS, RESAMPLES = 15, 500
HEADER = (
    "| data | estimator | x smaller | µs at 1 | of the time | µs at 32 | of the time "
    "| µs at 1,024 | of the time |\n|---|---|---:|---:|---:|---:|---:|---:|---:|"
)


def main() -> None:
    """Measure what is asked for, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m bench.lossless")
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(DATA))
    parser.add_argument("--seconds", type=float, default=1.0, help="for each number of rows")
    parser.add_argument("--output", type=Path, default=RESULTS)
    asked = parser.parse_args()
    with limited_threads(1):
        rows = list(_rows(asked.data, asked.seconds))
    page = "\n".join(["# Lossless models beside model.onnx", "", _about(), "", HEADER, *rows, ""])
    write_bytes(asked.output, page.encode())
    sys.stdout.write(page)


def _about() -> str:
    return (
        "Written by `python -m bench.lossless`: 100 trees, one thread, other rows in each call,\n"
        "time of the processor. *of the time*: lossless over model.onnx, the median of ratios\n"
        "within rounds and its 95 % interval. Below 1 is faster."
    )


def _rows(data: Sequence[str], seconds: float) -> Iterator[str]:
    for name in data:
        part = split_of(name, 0)
        for estimator in ESTIMATORS:
            fitted = unfitted(estimator, part, TREES)
            fit(fitted, part.train)
            plain = to_onnx(fitted, part.schema, OPSET)
            yield _row(name, estimator, plain, part.train, part.test.feeds, seconds)


def _row(
    data: str, estimator: str, plain: onnx.ModelProto, train: Rows, feeds: Feeds, seconds: float
) -> str:
    (candidate,) = forest_candidates(plain, Options(level="lossless"))
    pair = to_bytes(plain), to_bytes(candidate.apply(plain, train), packed=True)
    cells = [data, estimator, f"{len(pair[0]) / len(pair[1]):.2f}"]
    for rows in CALLS:
        taken = measured(pair, feeds, rows, seconds)
        middle, low, high = interval(taken[:, 1] / taken[:, 0])
        cells += [f"{1e6 * np.median(taken[:, 0]):,.1f}", f"{middle:.2f} ({low:.2f} to {high:.2f})"]
    line = f"| {' | '.join(cells)} |"
    say(line)
    return line


def measured(
    models: Sequence[bytes], feeds: Feeds, rows: int, seconds: float
) -> NDArray[np.float64]:
    """Seconds of a call of each model, (rounds, models), with ``rows`` rows; in random order."""
    sessions: list[Any] = [open_session(model) for model in models]
    available = len(next(iter(feeds.values())))
    starts = range(0, rows * CALLS[rows], rows)
    batches = [take(feeds, (start + np.arange(rows)) % available) for start in starts]
    random, end = np.random.default_rng(0), time.monotonic() + seconds
    taken: list[NDArray[np.float64]] = []
    while len(taken) < LEAST_ROUNDS or time.monotonic() < end:
        turn = np.empty(len(sessions))
        for place in random.permutation(len(sessions)):
            run = sessions[place].run
            run(None, batches[-1])
            start = time.thread_time()
            for batch in batches:
                run(None, batch)
            turn[place] = (time.thread_time() - start) / len(batches)
        taken.append(turn)
    return np.array(taken)


def interval(ratios: NDArray[np.float64]) -> tuple[float, float, float]:
    """The median and its 95 % interval by resampling."""
    places = np.random.default_rng(0).integers(0, len(ratios), (RESAMPLES, len(ratios)))
    low, high = np.percentile(np.median(ratios[places], axis=1), [2.5, 97.5])
    return float(np.median(ratios)), float(low), float(high)


if __name__ == "__main__":
    run_stage("bench", main)
