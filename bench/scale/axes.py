"""What grows: rows, nodes of trees, or columns, and the cost of each stage at each size."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import joblib
from pyarrow import parquet

from bench.scale.generated import write_rows
from bench.scale.running import project, run
from onnxpress.pipeline.outputs import CALIBRATION, ORIGINAL_MODEL, QUANTIZED_MODEL, TEST, TRAIN

Record = dict[str, Any]

SCORED, DRIFT, FIT = "score", "drift", "train"
CHAIN = ("prepare", FIT, "convert", "quantize", "evaluate", "benchmark", "gate", "package")
STEPS: dict[str, list[str]] = {
    **{stage: [f"stages.{stage}"] for stage in CHAIN},
    SCORED: ["onnxpress", "score", str(QUANTIZED_MODEL), "data/rows", "--output", "scored"],
    DRIFT: ["onnxpress", "drift", str(TEST), "--limit", "1000"],
}
TIMED = ("benchmark", "gate")
"""What takes as long as it is told to, or nothing: run, and not reported."""
FITS = (FIT, "quantize")
"""What fits the estimator: quantize fits it again on folds, where a method needs that."""

SETTINGS: dict[str, Any] = {
    "data.source": "data/rows",
    "data.target": "target",
    "benchmark.n_iterations": 2,
    "benchmark.max_seconds": 0.2,
    "benchmark.batch_sizes": [1],
    "gate.min_onnx_agreement": 0.0,
    "gate.max_score_diff": None,
    "gate.max_drop": {"score": None, "recall_worst_loss": None},
    "gate.max_size_ratio": None,
    "gate.min_quantized_vs_onnx_speedup": None,
}
ALL, KEPT, HELD = "all rows", "rows that are kept", "test rows"
READ = {"prepare": ALL, SCORED: ALL, "evaluate": HELD, DRIFT: HELD}
"""Which rows a step reads, if not those that are kept."""


@dataclass(frozen=True)
class Axis:
    """Something that grows."""

    name: str
    sizes: tuple[int, ...]
    quick: tuple[int, ...]
    rows: Callable[[int], int]
    columns: Callable[[int], int]
    settings: Callable[[int], dict[str, Any]] = field(default=lambda _: {})


def forest(trees: int, **params: Any) -> dict[str, Any]:
    """Settings for a forest."""
    return {
        "train.estimator": "RandomForestClassifier",
        "train.params": {"n_estimators": trees, **params},
    }


LINEAR = {"train.estimator": "LogisticRegression", "train.params": {}}
AXES = (
    Axis(
        "rows",
        (10**3, 10**4, 10**5, 3 * 10**5, 10**6, 10**7, 10**8),
        (10**3, 3 * 10**3, 10**4),
        rows=lambda size: size,
        columns=lambda _: 10,
        settings=lambda _: forest(10, max_depth=8),
    ),
    Axis(
        "nodes",
        (1, 4, 16, 64, 256, 1024, 2304),
        (1, 2, 4),
        rows=lambda _: 2 * 10**4,
        columns=lambda _: 10,
        settings=lambda size: forest(size, max_features=1) | {"quantize.level": "lossless"},
    ),
    Axis(
        "columns",
        (10, 100, 1000, 10**4),
        (10, 30, 100),
        rows=lambda _: 2000,
        columns=lambda size: size,
        settings=lambda _: LINEAR,
    ),
)
"""The sizes of ``nodes`` are trees; their nodes are counted."""


def measure(axis: Axis, size: int, work: Path) -> list[Record]:
    """Return what each step costs at one size; ``work`` is emptied afterwards."""
    write_rows(work / "data" / "rows", axis.rows(size), axis.columns(size))
    project(work, SETTINGS | axis.settings(size))
    found = []
    for step, words in STEPS.items():
        cost = asdict(run(work, words))
        if step not in TIMED:
            found.append({"axis": axis.name, "step": step, **cost})
    sizes = sizes_of(work, axis.rows(size))
    for record in found:
        rows = sizes[READ.get(record["step"], KEPT)]
        own = {"rows": rows, "columns": axis.columns(size), "nodes": sizes["nodes"]}
        record |= {"size": own[axis.name], "of": axis.rows(size), **own}
    shutil.rmtree(work)
    return found


def sizes_of(work: Path, rows: int) -> Mapping[str, int]:
    """Return how many rows the steps have read, and how many nodes the trees have."""
    kept, calibration, held = (
        parquet.read_metadata(work / path).num_rows for path in (TRAIN, CALIBRATION, TEST)
    )
    model = joblib.load(work / ORIGINAL_MODEL)  # our own
    trees = getattr(model, "estimators_", [])
    nodes = sum(int(tree.tree_.node_count) for tree in trees)
    return {ALL: rows, KEPT: kept + calibration, HELD: held, "nodes": nodes}


def of(records: Sequence[Record], axis: str, step: str) -> list[Record]:
    """The records of one line of the table."""
    return [each for each in records if (each["axis"], each["step"]) == (axis, step)]
