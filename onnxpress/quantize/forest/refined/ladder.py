"""Refined forests: much smaller and faster than the original, within a budget of accuracy.

The trees of a model, and all that is computed from them, are replaced by a small forest that has learned from the
original: oblivious trees grown and refitted on training rows and on rows generated from them, with an int8 leaf table.

How a setting is chosen: ``refined_candidates`` is a short ladder from small to large, each rung up to twice the size of
the one before, which ``onnxpress.quantize.choice`` climbs. Scores rise along it only on average, so it compares paired
differences and asks the next rung to confirm. A larger
rung is not always a better one: a small forest smooths where the original has learned the noise of its training rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from onnxpress.quantize.candidates import Candidate
from onnxpress.quantize.forest.refined.cut import Cut, count_trees, cut_at_features, part, run
from onnxpress.quantize.forest.refined.graft import declared_columns, graft
from onnxpress.quantize.forest.refined.grow import Bins, Growth, binned, cut_points, grow
from onnxpress.quantize.forest.refined.lesson import Lesson, lesson
from onnxpress.quantize.forest.refined.oblivious import ObliviousForest, quantised
from onnxpress.quantize.forest.refined.one_node import in_one_node
from onnxpress.quantize.forest.refined.refit import refit
from onnxpress.tables.rows import Rows

LADDER = ((8, 3), (8, 4), (16, 4), (16, 5), (32, 5), (32, 6), (64, 6), (64, 7), (128, 7))
"""(trees, depth) of the candidates, ascending in size."""

Writer = Callable[[onnx.ModelProto, Cut, ObliviousForest, NDArray[Any] | None], onnx.ModelProto]
"""``graft`` or ``in_one_node``: the same forest in the least bytes, or in the fewest operators."""

_TREES_EACH = 1.5  # an oblivious tree takes as long as so many ordinary ones on large batches (bench/results/coverage.md)
_WORTH_IT = 6  # a rung must be this many times smaller than the original
_SPLIT_BYTES = 5  # a float32 threshold and a feature number
_TREE_BYTES = 4
_GRAPH_BYTES = 700


@dataclass(frozen=True)
class Settings:
    """One rung of the ladder: ``trees`` of ``depth`` levels."""

    trees: int
    depth: int

    def size_bytes(self, columns: int) -> int:
        """About how large the model gets with ``columns`` scores."""
        return (
            self.trees * ((columns << self.depth) + _SPLIT_BYTES * self.depth + _TREE_BYTES)
            + _GRAPH_BYTES
        )


def refined_candidates(model: onnx.ModelProto, *, objective: str, seed: int) -> list[Candidate]:
    """The rungs that would be worth their loss for ``model`` and faster on large batches, smallest first.

    Where the fastest model is looked for (``objective``), each also in one node, as a ladder of its own.
    """
    limit = max(model.ByteSize() // _WORTH_IT, Settings(*LADDER[1]).size_bytes(1))
    classes = declared_columns(model)
    columns = classes if classes > 2 else 1  # two classes need one score
    most = count_trees(model) / _TREES_EACH
    rungs = [
        s
        for s in (Settings(*rung) for rung in LADDER)
        if s.size_bytes(columns) <= limit and s.trees <= most
    ]
    forms = (
        {"refined": graft}
        if objective == "size"
        else {"refined": graft, "refined_node": in_one_node}
    )
    return [
        Candidate(
            f"forest/{name}-{s.trees}x{s.depth}",
            partial(refined, settings=s, seed=seed, write=write),
        )
        for name, write in forms.items()
        for s in rungs
    ]


def refined(
    model: onnx.ModelProto, rows: Rows, *, settings: Settings, seed: int, write: Writer = graft
) -> onnx.ModelProto:
    """``model`` with its trees replaced by a refined forest fitted to ``rows``. Raises NotApplicable."""
    cut, taught, forest = _learned(_Task(model, rows, seed), settings)
    return write(model, cut, forest, taught.labels)


def learned(taught: Lesson, bins: Bins, settings: Settings, *, seed: int) -> ObliviousForest:
    """A forest of ``settings`` fitted to ``taught``, whose rows are ``bins``."""
    with threadpool_limits(limits=1):  # so that sums have one order
        questions, values, offset = grow(
            bins, taught.target, taught.loss, Growth(settings.trees, settings.depth), seed
        )
        values = refit(questions.leaves(taught.x), values, offset, taught.target, taught.loss)
    if taught.labels is not None:  # a classifier's offset is shared out over the trees
        values, offset = values + offset / settings.trees, np.zeros_like(offset)
    return quantised(questions, values * taught.spread, offset * taught.spread + taught.center)


class _Task:
    """A model and its training rows, equal to another when their contents are."""

    def __init__(self, model: onnx.ModelProto, rows: Rows, seed: int) -> None:
        self.model, self.rows, self.seed = model, rows, seed
        digest = hashlib.sha256(model.SerializeToString(deterministic=True))
        for name, values in (*sorted(rows.feeds.items()), ("", rows.target)):
            digest.update(f"{name} {values.dtype} {values.shape} {seed}".encode())
            digest.update(
                repr(values.tolist()).encode()
                if values.dtype == object
                else np.ascontiguousarray(values).tobytes()
            )
        self._digest = digest.digest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Task) and self._digest == other._digest

    def __hash__(self) -> int:
        return hash(self._digest)


@lru_cache(maxsize=64)  # both ways to write it share a forest
def _learned(task: _Task, settings: Settings) -> tuple[Cut, Lesson, ObliviousForest]:
    """What the forest of a rung has learned, with what it takes to write it."""
    cut, taught, bins = _prepared(task)
    return cut, taught, learned(taught, bins, settings, seed=task.seed)


@lru_cache(
    maxsize=8
)  # the rungs of a ladder share a model and its rows, and so do those of each fold
def _prepared(task: _Task) -> tuple[Cut, Lesson, Bins]:
    """Where to cut the model, what there is to learn, and its rows in bins between the training rows' values."""
    model = task.model
    cut, x = cut_at_features(model, task.rows.feeds)
    back = part(model, cut.back, [value.name for value in model.graph.output], cut.features)
    taught = lesson(
        lambda batch: run(back, {cut.features: batch}), x, task.rows.target, seed=task.seed
    )
    return cut, taught, binned(taught.x, tuple(cut_points(column) for column in x.T))
