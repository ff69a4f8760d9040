"""What faithful forests keep and save: ``python -m bench.faithful`` writes faithful.md.

Forests of 100 trees are fitted to generated tables and chosen for as the pipeline does, once for
each budget on disagreement. Each chosen model is judged on 20,000 fresh rows of the same table: the
share with another answer than scikit-learn's, its bound, and the time of 1,024 rows, side by side
with model.onnx. The page is written after each table.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
from numpy.typing import NDArray

from bench.data import TEST_SIZE, Split, unfitted
from bench.models import OPSET
from onnxpress.benchmark.timed_calls import limited_threads
from onnxpress.conversion.converting import to_onnx
from onnxpress.estimators.fitting import fit
from onnxpress.estimators.predicting import predict_original
from onnxpress.graph.canonical import to_bytes
from onnxpress.pipeline.console import say
from onnxpress.pipeline.files import write_bytes
from onnxpress.pipeline.running import run_stage
from onnxpress.quantize.candidates import Candidate
from onnxpress.quantize.choice import choose
from onnxpress.quantize.forest.levels import forest_candidates
from onnxpress.quantize.options import Options
from onnxpress.quantize.terms import needed_by, terms_of
from onnxpress.quantize.trials import Clones, trials_of
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.scores.bounds import upper_bound
from onnxpress.tables.column_types import type_columns
from onnxpress.tables.names import NUMERIC_INPUT
from onnxpress.tables.rows import Feeds, Rows
from onnxpress.tables.split import split

RESULTS = Path(__file__).parent / "results" / "faithful.md"
BUDGETS = (0.001, 0.01, 0.03)
FRESH, BATCH, ROUNDS, TREES = 20_000, 1024, 15, 100
QUIET = 1.5
"""Load average below which nothing else of weight was running."""

Table = tuple[NDArray[np.float32], NDArray[np.int64]]


def classes(rows: int, seed: int, **settings: Any) -> Table:
    """Clusters on the corners of a hypercube, by scikit-learn."""
    from sklearn.datasets import make_classification

    x, y = make_classification(rows, random_state=seed, **settings)
    return x.astype(np.float32), y


def moons(rows: int, seed: int) -> Table:
    """Two half circles that overlap."""
    from sklearn.datasets import make_moons

    x, y = make_moons(rows, noise=0.25, random_state=seed)
    return x.astype(np.float32), y


def fraud(rows: int, seed: int) -> Table:
    """Twelve columns and 3.2 % positives."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, 12))
    x[:, 6:] = np.exp(x[:, 6:])
    score = 1.5 * x[:, 0] * x[:, 1] + x[:, 2] - 0.6 * x[:, 6] + 0.8 * np.sin(2 * x[:, 3])
    score += 0.8 * random.normal(size=rows)
    return x.astype(np.float32), (score > np.quantile(score, 0.968)).astype(np.int64)


def steps(rows: int, seed: int) -> Table:
    """A noisy target of five columns (Friedman's first) in three steps."""
    from sklearn.datasets import make_friedman1

    x, y = make_friedman1(rows, 10, noise=2.0, random_state=seed)
    return x.astype(np.float32), np.digitize(y, [11.0, 17.0])


TABLES: dict[str, tuple[int, Callable[[int, int], Table]]] = {
    "moons": (6_000, moons),
    "fraud": (12_000, fraud),
    "clean, 2 classes": (
        8_000,
        lambda n, s: classes(n, s, n_features=15, n_informative=8, flip_y=0.0, class_sep=1.2),
    ),
    "noisy, 2 classes": (
        8_000,
        lambda n, s: classes(n, s, n_features=15, n_informative=8, flip_y=0.1),
    ),
    "clean, 3 classes": (
        8_000,
        lambda n, s: classes(
            n, s, n_features=10, n_informative=6, n_classes=3, flip_y=0.01, class_sep=1.5
        ),
    ),
    "steps, 3 classes": (8_000, steps),
    "noisy, 4 classes": (
        12_000,
        lambda n, s: classes(n, s, n_features=20, n_informative=10, n_classes=4, flip_y=0.1),
    ),
    "large, 2 classes": (
        40_000,
        lambda n, s: classes(n, s, n_features=15, n_informative=8, flip_y=0.02, class_sep=1.2),
    ),
}
"""Rows to split, and what generates them."""


@dataclass(frozen=True)
class Outcome:
    """What was chosen for one budget, and what it does to fresh rows."""

    table: str
    estimator: str
    plain_kb: float
    budget: float
    chosen: str
    smaller: float
    other: int
    """Fresh rows with another answer than scikit-learn's."""
    time: float
    """Of 1,024 rows, over model.onnx's."""
    seconds: float
    """How long choosing took; models are made for the first budget and kept for the others."""


def table_of(name: str, seed: int) -> tuple[Split, Rows]:
    """The split of a table, and its fresh rows."""
    count, generate = TABLES[name]
    x, y = generate(count + FRESH, seed)
    frame = pd.DataFrame(x[:count], columns=[f"f{i}" for i in range(x.shape[1])])
    frame, schema = type_columns(frame.assign(target=y[:count]), "target", "auto")
    parts = split(frame, schema, TEST_SIZE, None, seed)

    def rows(part: pd.DataFrame) -> Rows:
        values = np.ascontiguousarray(part.drop(columns="target").to_numpy(np.float32))
        return Rows({NUMERIC_INPUT: values}, part["target"].to_numpy())

    divided = (rows(part) for part in (parts.train, parts.calibration, parts.test))
    return Split(name, seed, parts.schema, *divided), Rows({NUMERIC_INPUT: x[count:]}, y[count:])


def outcomes(name: str, estimator: str, seed: int) -> list[Outcome]:
    """Fit, and choose for each budget."""
    part, fresh = table_of(name, seed)
    fitted = unfitted(estimator, part, TREES)
    fit(fitted, part.train)
    model = to_onnx(fitted, part.schema, OPSET)
    plain = to_bytes(model)
    said = predict_original(fitted, fresh.feeds, part.schema).values
    clones = Clones(lambda: fitted, part.schema, OPSET, seed)
    candidates = [_kept(item) for item in forest_candidates(model, Options(level="faithful"))]
    found = []
    for budget in BUDGETS:
        start = time.monotonic()
        budgets = {"disagreement": budget, "score": None, "recall_worst_loss": None}
        options = Options(method="forest", level="faithful", seed=seed, budgets=budgets)
        needed = needed_by(options, candidates)
        made = trials_of(plain, part.train, part.calibration, clones, needed)
        terms = terms_of(options, part.schema, plain, made)
        choice = choose(plain, candidates, made, terms, options)
        seconds = time.monotonic() - start
        answers = predict_onnx(open_session(choice.model), fresh.feeds).values
        found.append(
            Outcome(
                name,
                estimator,
                len(plain) / 1024,
                budget,
                choice.candidate,
                len(plain) / len(choice.model),
                int((answers != said).sum()),
                time_ratio(plain, choice.model, fresh.feeds),
                seconds,
            )
        )
    return found


def _kept(candidate: Candidate) -> Candidate:
    """A candidate that makes its model of one plain model once."""
    made: dict[bytes, onnx.ModelProto] = {}

    def apply(model: onnx.ModelProto, rows: Rows) -> onnx.ModelProto:
        key = model.SerializeToString(deterministic=True)
        if key not in made:
            made[key] = candidate.apply(model, rows)
        return made[key]

    return replace(candidate, apply=apply)


def time_ratio(plain: bytes, small: bytes, feeds: Feeds) -> float:
    """The time of a batch over model.onnx's, the median of rounds in which both run in turn."""
    batch = {name: values[:BATCH] for name, values in feeds.items()}
    sessions = [open_session(model) for model in (plain, small)]
    ratios = []
    for _ in range(ROUNDS):
        taken = []
        for session in sessions:
            start = time.perf_counter()
            session.run(None, batch)
            taken.append(time.perf_counter() - start)
        ratios.append(taken[1] / taken[0])
    return statistics.median(ratios)


def page(found: Sequence[Outcome], busy: bool) -> str:
    """The tables as Markdown."""
    lines = [
        "# Faithful forests, measured",
        "",
        "Written by `python -m bench.faithful`. Forests have 100 trees; each table is split as",
        "the pipeline does, and the model is chosen at `level: faithful` within a budget on",
        "disagreement alone. *other answers*: share of 20,000 fresh rows whose label is not",
        "scikit-learn's; *at most*: its exact 95 % upper bound. *kept*: the share is within the",
        "budget. *time*: of 1,024 rows over model.onnx's, run in turn, one thread.",
        "",
    ]
    if busy:
        lines += ["The machine was busy: ratios of times are rougher than they would be.", ""]
    lines += _summary(found)
    heads = ["table", "estimator", "model.onnx KB", "budget", "chosen", "x smaller"]
    heads += ["other answers", "at most", "kept", "time"]
    lines += ["", f"| {' | '.join(heads)} |", "|---|---|---:|---:|---|---:|---:|---:|---|---:|"]
    for one in found:
        lines.append(
            f"| {one.table} | {one.estimator} | {one.plain_kb:,.0f} | {one.budget:.1%} |"
            f" {one.chosen.removeprefix('forest/')} | {one.smaller:.1f} | {one.other / FRESH:.2%} |"
            f" {upper_bound(one.other, FRESH):.2%} | {'yes' if _within(one) else 'no'} |"
            f" {one.time:.2f} |"
        )
    return "\n".join(lines) + "\n"


def _summary(found: Sequence[Outcome]) -> list[str]:
    """A line for each budget, of random forests and of all."""
    lines = [
        "| budget | estimators | models | x smaller, median | budget kept | slower |",
        "|---:|---|---:|---:|---:|---:|",
    ]
    for budget in BUDGETS:
        for name in ("RandomForest", "ExtraTrees"):
            some = [one for one in found if one.budget == budget and one.estimator == name]
            if not some:
                continue
            median = statistics.median(one.smaller for one in some)
            kept = sum(map(_within, some))
            slower = sum(one.time > 1.05 for one in some)
            lines.append(
                f"| {budget:.1%} | {name} | {len(some)} | {median:.1f} | {kept} of {len(some)} |"
                f" {slower} |"
            )
    return lines


def _within(one: Outcome) -> bool:
    return one.other <= one.budget * FRESH


def main() -> None:
    """Measure all tables and write the page."""
    parser = argparse.ArgumentParser(prog="python -m bench.faithful")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--estimators", nargs="+", default=["RandomForest", "ExtraTrees"])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--quick", action="store_true", help="one small table")
    asked = parser.parse_args(sys.argv[1:])
    tables = ["moons"] if asked.quick else asked.tables
    found: list[Outcome] = []
    busy = False
    for seed in range(asked.seeds):
        for estimator in asked.estimators:
            for name in tables:
                busy |= _load() > QUIET
                start = time.monotonic()
                with limited_threads(1):
                    found += outcomes(name, estimator, seed)
                write_bytes(asked.output, page(found, busy).encode())
                say(f"{name} {estimator}, seed {seed}: {time.monotonic() - start:.0f} s")
    sys.stdout.write(page(found, busy))


@cache
def _load() -> float:
    """The load average of the last minute, before anything was started."""
    import os

    return os.getloadavg()[0]


if __name__ == "__main__":
    run_stage("bench.faithful", main)
