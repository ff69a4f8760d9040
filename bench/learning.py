"""Which settings of learning win: ``python -m bench.learning`` writes learning.md.

A forest is fitted to each split of a table and converted once. Then refined forests of a few sizes
are learned from it with the product's settings, and with others that differ from them in one thing.
Points are hundredths of accuracy or R2 on test rows, refined minus model.onnx. Settings are
compared on the same splits, so the standard error is that of the paired difference. The page is
written after each split. learning.md is of the tables with fewer than 20,000 rows. learning_rows.md
is of ``--tables "classes_20k, ExtraTrees" --variants "rows between two" --sizes 64x7``,
learning_extra_trees.md of ``--variants "as it is" --splits 20`` instead.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bench.budgets import real
from bench.data import DATA, TEST_SIZE, Split, rows_of, split_of, unfitted
from bench.models import OPSET
from onnxpress.benchmark.timed_calls import limited_threads
from onnxpress.conversion.converting import to_onnx
from onnxpress.estimators.fitting import fit
from onnxpress.graph.canonical import to_bytes
from onnxpress.pipeline.console import say
from onnxpress.pipeline.files import write_bytes
from onnxpress.pipeline.running import run_stage
from onnxpress.quantize.candidates import Rung
from onnxpress.quantize.forest.refined.as_operators import as_operators
from onnxpress.quantize.forest.refined.distillation import DENSE
from onnxpress.quantize.forest.refined.ladder import prepared
from onnxpress.quantize.forest.refined.learning import LEARNING, Learning, bins_of, learned
from onnxpress.quantize.forest.refined.subgraphs import split_places
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.scores.score import default_score
from onnxpress.tables.column_types import type_columns
from onnxpress.tables.split import split

RESULTS = Path(__file__).parent / "results" / "learning.md"
SPLITS = 5
DIAMONDS = "diamonds, 53,940 rows"
EXTRA = "classes_20k, ExtraTrees"

CASES = {
    "ames": 100,
    "mlc_churn": 100,
    "cells": 100,
    "spam7": 100,
    "credit_data": 100,
    "digits": 100,
    "diabetes": 100,
    "classes_20k": 100,
    EXTRA: 100,
    DIAMONDS: 50,
}
"""Trees of the forest by table."""

RUNGS = (Rung(16, 5), Rung(32, 5), Rung(64, 7))
LARGE_RUNGS = (Rung(128, 8), Rung(256, 8))
"""Tried too where the model has ``LARGE`` bytes."""
LARGE = 10_000_000


@dataclass(frozen=True)
class Settings:
    """What is learned from, and how."""

    learning: Learning = LEARNING
    dense: float = DENSE
    """Training rows from which others are generated beside one row, not between two."""


AS_IT_IS = "as it is"
VARIANTS = {
    AS_IT_IS: Settings(),
    "rows between two": Settings(dense=np.inf),
    "32 cut points": Settings(replace(LEARNING, cuts=(32, 32))),
    "254 cut points": Settings(replace(LEARNING, cuts=(254, 254))),
    "rate 0.25 for every size": Settings(replace(LEARNING, rate=np.inf)),
    "rate 0.4 for few trees": Settings(replace(LEARNING, most_rate=0.4)),
    "leaves as they grew": Settings(replace(LEARNING, refit_steps=0)),
}
"""Settings by name; the first are the product's."""


@dataclass(frozen=True)
class Outcome:
    """One forest, judged."""

    table: str
    seed: int
    rung: Rung
    variant: str
    points: float
    smaller: float
    """Bytes of model.onnx over those of the refined model."""
    seconds: float
    """Of learning, on a machine that may be busy."""


def part_of(name: str, seed: int) -> Split:
    """Split number ``seed`` of a table of the suite or of the real ones."""
    if name in DATA:
        return split_of(name, seed)
    if name == EXTRA:
        return split_of("classes_20k", seed)
    item, rows = ("diamonds", 100_000) if name == DIAMONDS else (name, real.TABLES[name].most)
    frame, schema = type_columns(real.load(item, rows), "target", "auto")
    parts = split(frame, schema, TEST_SIZE, None, seed)
    divided = (rows_of(part) for part in (parts.train, parts.calibration, parts.test))
    return Split(name, seed, parts.schema, *divided)


def outcomes(
    name: str, seed: int, variants: Sequence[str], sizes: Sequence[Rung] | None = None
) -> Iterator[Outcome]:
    """All variants and ``sizes`` on one split."""
    part = part_of(name, seed)
    forest = unfitted("ExtraTrees" if name == EXTRA else "RandomForest", part, CASES[name])
    fit(forest, part.train)
    model = to_onnx(forest, part.schema, OPSET)
    plain = to_bytes(model)
    before = _score(plain, part)
    sizes = sizes or RUNGS + LARGE_RUNGS * (len(plain) >= LARGE)
    for variant in variants:
        learning, dense = VARIANTS[variant].learning, VARIANTS[variant].dense
        parts, distilled, x = prepared(model, part.train, seed=seed, dense=dense)
        bins = bins_of(distilled, x, split_places(parts), learning=learning)
        for rung in sizes:
            start = time.monotonic()
            small = learned(distilled, bins, rung, seed=seed, learning=learning)
            seconds = time.monotonic() - start
            data = to_bytes(as_operators(model, parts, small, distilled.answers), packed=True)
            points = 100 * (_score(data, part) - before)
            yield Outcome(name, seed, rung, variant, points, len(plain) / len(data), seconds)


def _score(model: bytes, part: Split) -> float:
    found = predict_onnx(open_session(model), part.test.feeds)
    return default_score(part.schema.task, part.test.target, found.values)


def page(found: Sequence[Outcome]) -> str:
    """The tables as Markdown."""
    lines = [
        "# Settings of learning, compared",
        "",
        "Written by `python -m bench.learning`. *points*: hundredths of accuracy or R² on test",
        "rows, refined minus model.onnx of a random forest (ExtraTrees where it says so), the mean",
        "over splits, with its standard error. *ahead*: the product's settings minus these, on the",
        "same splits, with that of the paired difference. *seconds*: of learning on a machine that",
        "may be busy, the median, and the ratio to the product's.",
        "",
        "## All tables together",
        "",
        *_compared(found, by_table=False),
        "",
        "## By table",
        "",
        *_compared(found, by_table=True),
    ]
    return "\n".join(lines) + "\n"


def _compared(found: Sequence[Outcome], *, by_table: bool) -> Iterator[str]:
    """A table with a line for each table, size and variant."""
    heads = [*(["table"] if by_table else []), "size", "settings", "n", "x smaller"]
    heads += ["points", "ahead", "seconds"]
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * (2 + by_table)}{'---:|' * 5}"
    ours = [one for one in found if one.variant == AS_IT_IS]
    base = {(one.table, one.seed, one.rung): one for one in ours}
    tables = list(dict.fromkeys(one.table for one in found)) if by_table else [None]
    for table in tables:
        for rung in sorted({one.rung for one in found}):
            for variant in VARIANTS:
                group = [
                    one
                    for one in found
                    if (one.rung, one.variant) == (rung, variant) and table in (one.table, None)
                ]
                if group:
                    cells = [*([str(table)] if table else []), str(rung), variant]
                    yield f"| {' | '.join([*cells, *_cells(group, base)])} |"


def _cells(group: Sequence[Outcome], base: Mapping[tuple[str, int, Rung], Outcome]) -> list[str]:
    pairs = [(base[one.table, one.seed, one.rung], one) for one in group]
    ahead = [ours.points - one.points for ours, one in pairs]
    slower = np.median([one.seconds / ours.seconds for ours, one in pairs])
    same = all(ours is one for ours, one in pairs)
    return [
        str(len(group)),
        f"{np.median([one.smaller for one in group]):,.0f}",
        _mean([one.points for one in group]),
        "" if same else _mean(ahead),
        f"{np.median([one.seconds for one in group]):.1f}" + ("" if same else f", x {slower:.2f}"),
    ]


def _mean(values: Sequence[float]) -> str:
    """The mean, and its standard error."""
    error = f" ± {np.std(values, ddof=1) / len(values) ** 0.5:.2f}" if len(values) > 1 else ""
    return f"{np.mean(values):+.2f}{error}"


def size(text: str) -> Rung:
    """A size from its name, 64x7."""
    trees, depth = text.split("x")
    return Rung(int(trees), int(depth))


def main() -> None:
    """Compare on all tables and write the page."""
    parser = argparse.ArgumentParser(prog="python -m bench.learning")
    parser.add_argument("--tables", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--sizes", nargs="+", type=size, help="32x5 64x7")
    parser.add_argument("--splits", type=int, default=SPLITS)
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--quick", action="store_true", help="one small table")
    asked = parser.parse_args(sys.argv[1:])
    tables = ["diabetes"] if asked.quick else asked.tables
    variants = list(dict.fromkeys([AS_IT_IS, *asked.variants]))
    found: list[Outcome] = []
    for seed in range(2 if asked.quick else asked.splits):
        for name in tables:
            with limited_threads(1):
                found += outcomes(name, seed, variants, asked.sizes)
            write_bytes(asked.output, page(found).encode())
            say(f"{name}, split {seed}")
    sys.stdout.write(page(found))


if __name__ == "__main__":
    run_stage("bench.learning", main)
