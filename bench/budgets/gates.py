"""How often a chosen model breaks a default gate on test rows: ``python -m bench.budgets.gates``.

Over the data sets of the suite, and ten real tables beside it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from bench import data
from bench.bars import Bar, markdown
from bench.budgets import real
from bench.budgets.__main__ import RESULTS, fingerprint
from bench.budgets.judge import HELD, Record
from onnxpress import compress
from onnxpress.benchmark.timed_calls import limited_threads
from onnxpress.estimators.building import build
from onnxpress.gates import INTERVAL
from onnxpress.limits import TEST
from onnxpress.pipeline.console import say
from onnxpress.pipeline.files import write_bytes, write_json
from onnxpress.pipeline.running import run_stage
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.scores.budgets import check_limits, exceeded
from onnxpress.scores.losses import measured_losses
from onnxpress.scores.score import as_classes, find_score
from onnxpress.tables.column_types import type_columns
from onnxpress.tables.split import CALIBRATION_FROM_ROWS

SPLITS = 2
TREES = 100
MOST_BROKEN = 0.03
HEADER = (
    "data",
    "estimator",
    "split",
    "test rows",
    "chosen",
    "x smaller",
    "score lost",
    "recall lost",
    "gate",
)
Key = tuple[str, str, int]
"""Data set, estimator, split."""


def record(name: str, estimator: str, split: int) -> Record:
    """Fit, compress within the default budgets, and hold the result against the default gates."""
    start = time.monotonic()
    frame = real.load(name) if name in real.TABLES else data.load(name)
    typed, schema = type_columns(frame, "target", "auto")
    x = typed.drop(columns="target").to_numpy(np.float32)
    y = typed["target"].to_numpy()
    regression = schema.task == "regression"
    train, test = _split(np.arange(len(y)), y, split, regression)
    key = "max_iter" if estimator == "HistGradientBoosting" else "n_estimators"
    class_name = estimator + ("Regressor" if regression else "Classifier")
    calibration = None
    if len(train) >= CALIBRATION_FROM_ROWS:
        train, held = _split(train, y, split, regression)
        calibration = x[held], y[held]
    model = build(class_name, {key: TREES}, schema, split).fit(x[train], y[train])
    found = compress(model, x[train], y[train], calibration=calibration, seed=split)
    score = find_score(None, schema.task, () if regression else as_classes(y[train]))
    limits = check_limits(TEST, score)
    before, after = (
        predict_onnx(open_session(made), {"X": x[test]}) for made in (found.plain, found.data)
    )
    losses = measured_losses(limits, score, y[test], before, after)
    return {
        "data": name,
        "estimator": estimator,
        "split": split,
        "test_rows": len(test),
        "candidate": found.candidate,
        "times_smaller": found.times_smaller,
        "losses": {
            key: [None if np.isnan(each) else each for each in (loss.value, loss.error)]
            for key, loss in losses.items()
        },
        "broken": [key for key, limit in limits.items() if exceeded(losses[key], limit)],
        "seconds": time.monotonic() - start,
    }


def _split(
    rows: NDArray[np.intp], y: NDArray[Any], seed: int, regression: bool
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    strata = None if regression else y[rows]
    rest, held = train_test_split(rows, test_size=HELD, random_state=seed, stratify=strata)
    return rest, held


def bars(records: list[Record]) -> list[Bar]:
    """The share of chosen models that break a gate, in the suite and outside it."""
    groups = {
        "the suite": [item for item in records if item["data"] in data.DATA],
        "ten real tables": [item for item in records if item["data"] in real.TABLES],
    }
    found = []
    for name, group in groups.items():
        broken = sum(bool(item["broken"]) for item in group)
        share = broken / len(group) if group else None
        title = f"{name}: chosen models that break a default gate on test rows"
        clear = sum(_is_clear(item) for item in group)
        note = f"{broken} of {len(group)}, {clear} with its whole 90 % interval"
        found.append(Bar(title, share, MOST_BROKEN, at_least=False, note=note))
    return found


def _is_clear(item: Record) -> bool:
    """Whether the 90 % interval of a loss that breaks its limit lies beyond it."""
    for key in item["broken"]:
        value, error = item["losses"][key]
        if error is None or value - INTERVAL * error > TEST[key]:
            return True
    return False


def write(folder: Path, records: list[Record], wanted: int) -> str:
    """Write gates.json and gates.md into ``folder`` and return the Markdown."""
    minutes = sum(item["seconds"] for item in records) / 60
    lines = [
        "# Default budgets against the default gates, measured",
        "",
        f"Written by `python -m bench.budgets.gates` in {minutes:.0f} minutes: {len(records)} of",
        f"{wanted} models of {TREES} trees, each compressed within the default budgets, and judged",
        "on a fifth of the rows that nothing has seen.",
        "",
        markdown(bars(records)),
        "",
        f"| {' | '.join(HEADER)} |",
        "|---|---|---:|---:|---|---:|---:|---:|---|",
    ]
    for item in records:
        losses = item["losses"]
        recall = losses.get("recall_worst_loss", [None])[0]
        error = losses["score"][1]
        cells = [
            item["data"],
            item["estimator"],
            str(item["split"]),
            f"{item['test_rows']:,}",
            str(item["candidate"]),
            f"{item['times_smaller']:.0f}",
            f"{losses['score'][0]:+.4f}" + ("" if error is None else f" ± {error:.4f}"),
            "" if recall is None else f"{recall:+.4f}",
            f"**breaks {', '.join(item['broken'])}**" if item["broken"] else "",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    text = "\n".join([*lines, ""])
    judged = [bar.to_json() for bar in bars(records)]
    write_json(folder / "gates.json", {"bars": judged, "records": records})
    write_bytes(folder / "gates.md", text.encode())
    return text


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.budgets.gates")
    names = [*data.DATA, *real.TABLES]
    parser.add_argument("--data", nargs="+", choices=names, default=names)
    parser.add_argument("--estimators", nargs="+", choices=data.ESTIMATORS, default=data.ESTIMATORS)
    parser.add_argument("--splits", type=int, default=SPLITS)
    parser.add_argument("--minutes", type=float, default=60.0, help="start nothing after this long")
    parser.add_argument("--cache", type=Path, default=RESULTS / ".gates.jsonl")
    parser.add_argument("--output", type=Path, default=RESULTS)
    return parser.parse_args(arguments)


def read(path: Path, mark: str) -> dict[Key, Record]:
    """The finished records of these sources."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    found = [json.loads(line) for line in lines if line.endswith("}")]
    own = [item for item in found if item.pop("fingerprint") == mark]
    return {(item["data"], item["estimator"], item["split"]): item for item in own}


def main() -> None:
    """Make the missing records, then write and print the table."""
    asked = options(sys.argv[1:])
    mark, end = fingerprint(), time.monotonic() + 60 * asked.minutes
    known = read(asked.cache, mark)
    wanted = [
        (name, estimator, split)
        for split, name, estimator in product(range(asked.splits), asked.data, asked.estimators)
    ]
    for cell in wanted:
        if cell in known or time.monotonic() > end:
            continue
        with limited_threads(1):
            known[cell] = record(*cell)
        asked.cache.parent.mkdir(parents=True, exist_ok=True)
        with asked.cache.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"fingerprint": mark, **known[cell]}) + "\n")
        item = known[cell]
        broken = f", breaks {', '.join(item['broken'])}" if item["broken"] else ""
        say(f"{' '.join(map(str, cell))}: {item['candidate']}{broken}")
    records = [known[cell] for cell in wanted if cell in known]
    sys.stdout.write(write(asked.output, records, len(wanted)))


if __name__ == "__main__":
    run_stage("bench.budgets.gates", main)
