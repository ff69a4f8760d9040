"""What the caller may set: what is tried, what it may cost, and what the best is chosen by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

MethodName = Literal[
    "auto", "none", "dynamic", "static", "dense", "float16", "forest", "kernel", "neighbors"
]
Objective = Literal["size", "latency", "throughput"]
Level = Literal["auto", "lossless", "faithful", "refined"]
MlOpset = Literal[3, 5]

BATCH_ROWS: Mapping[Objective, int] = {"size": 1024, "latency": 1, "throughput": 256}
"""Rows per call that count for an objective; the smallest model must be fast on large batches."""


@dataclass(frozen=True)
class Options:
    """The settings of one choice; :func:`onnxpress.quantize.choice.choose` applies them."""

    method: MethodName = "auto"
    """Methods to try: one of them, ``auto`` for all that fit the graph, or ``none``."""

    objective: Objective = "size"
    """What the best is chosen by: bytes, time of one row, or time of a batch."""

    level: Level = "auto"
    """How far the answers of forests may differ: ``lossless``, ``faithful`` or ``refined``, or all.

    Nets are trained anew for ``refined`` and ``auto`` alone.
    """

    ml_opset: MlOpset = 5
    """Version of ai.onnx.ml for forests: 5 is the smallest, 3 runs in older runtimes."""

    seed: int = 0
    """Seed of everything random: folds, generated rows, sampled features."""

    budgets: Mapping[str, float | None] = field(default_factory=dict)
    """What a candidate may lose, by key (:mod:`onnxpress.limits`).

    None switches a key off. A key that is not there has its default.
    """

    device: Mapping[str, float] = field(default_factory=dict)
    """What the device that the model is for has (:mod:`onnxpress.quantize.device`).

    If that is limited, the best is the one with the best score that fits, whatever ``objective``.
    """

    score: str | None = None
    """What the budget ``score`` means: scikit-learn's name of a scorer; None: accuracy or R2, and
    NDCG of a ranker on rows in groups."""

    positive: int | str | None = None
    """Of two classes, the one that recall and the like are about; None: the greater."""

    tolerance: float = 1e-3
    """Regression: two predictions agree within so many standard deviations of the target."""
