"""Cut points: numbers of a raw column between which no answer of a model changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxpress.drift.comparisons import Comparison, Comparisons, comparisons_of
from onnxpress.drift.provenance import Source
from onnxpress.evaluate.inner_tensors import InnerTensors
from onnxpress.evaluate.probes.float_order import LAST, number
from onnxpress.evaluate.probes.raw_columns import RawColumn
from onnxpress.evaluate.probes.row_sets import count
from onnxpress.graph.trees.forest import Mode
from onnxpress.tables.rows import Feeds, take

Cuts = NDArray[np.float32]
"""Rising; the cells are ``x <= cuts[0]``, ``cuts[0] < x <= cuts[1]``, ... ``cuts[-1] < x``."""

STEPS = 33
"""Halvings that part any two of the finite float32 numbers."""
AT_ONCE = 1024
"""Thresholds that are traced back together, with a row each."""


@dataclass(frozen=True)
class CutPoints:
    """How a model's answers depend on its raw columns."""

    numbers: dict[RawColumn, Cuts]
    """Of columns of numbers that are only compared. Without a cut, the column changes nothing."""
    texts: dict[RawColumn, set[str]]
    """Of columns of text that are only looked up: the texts that are known."""
    mixed: frozenset[RawColumn]
    """Columns that the model computes with: no cut points are known."""


def cut_points(model: onnx.ModelProto, feeds: Feeds) -> CutPoints:
    """Return the cut points of ``model``; ``feeds`` are some of its rows.

    Two rows that lie in the same cells of all columns, the same known texts or both unknown ones,
    and with the same values missing, get the same answer, if no column is mixed. A threshold behind
    a scaler is traced back to the raw column: by halving, with what onnxruntime computes there.
    """
    found = comparisons_of(model)
    mixed = frozenset(found.provenance.mixed)
    numbers: dict[RawColumn, list[NDArray[np.float32]]] = {}
    texts = {column: known for column, known in found.texts.items() if column not in mixed}
    for name, values in feeds.items():
        if values.dtype.kind == "f" and values.ndim == 2:
            columns = (RawColumn(name, at) for at in range(values.shape[1]))
            numbers |= {column: [np.zeros(0, np.float32)] for column in columns}
    for comparison in found.numbers:
        source = found.provenance.sources[comparison.source]
        if source.column in numbers and source.column not in mixed:
            numbers[source.column].append(_cuts(found, comparison, source, feeds))
    return CutPoints(
        {
            column: np.unique(np.concatenate(parts))
            for column, parts in numbers.items()
            if column not in mixed
        },
        texts,
        mixed,
    )


def _cuts(found: Comparisons, comparison: Comparison, source: Source, feeds: Feeds) -> Cuts:
    """Return where the raw column makes a comparison come out differently."""
    thresholds = [*_thresholds(comparison)]
    if source.tensor in feeds:
        cuts = np.concatenate([_as_float32(numbers) for numbers in thresholds])
    else:
        inner = InnerTensors(found.provenance.model, [source.tensor])
        parts = [
            each[at : at + AT_ONCE] for each in thresholds for at in range(0, len(each), AT_ONCE)
        ]
        cuts = np.concatenate([_traced(inner, source, part, feeds) for part in parts])
    return np.asarray(cuts[np.isfinite(cuts)], np.float32)


def _thresholds(comparison: Comparison) -> list[NDArray[np.float64]]:
    """Return the numbers t for which ``x <= t`` decides the comparison.

    ``x < t`` is ``x <= below``, the next number below t; ``x == t`` is ``x <= t`` and not
    ``x <= below``. Below means the next float64: in any narrower type it is the same.
    """
    at, below = comparison.numbers, np.nextafter(comparison.numbers, -np.inf)
    if comparison.mode in (Mode.LEQ, Mode.GT):
        return [at]
    if comparison.mode in (Mode.LT, Mode.GTE):
        return [below]
    return [at, below]


def _as_float32(numbers: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the greatest float32 that is not above each number."""
    with np.errstate(over="ignore"):
        near = numbers.astype(np.float32)
    below = np.nextafter(near, np.float32(-np.inf))
    return np.where(near.astype(np.float64) > numbers, below, near)


def _traced(
    inner: InnerTensors, source: Source, numbers: NDArray[np.float64], feeds: Feeds
) -> NDArray[np.float32]:
    """Return the last raw number on the lower side of each threshold of an inner tensor."""
    base = take(feeds, np.zeros(len(numbers), np.intp))

    def is_below(ranks: NDArray[np.int64]) -> NDArray[np.bool_]:
        rows = {name: values.copy() for name, values in base.items()}
        rows[source.column.name][:, source.column.position] = number(ranks)
        values = inner(rows)[source.tensor][:, source.position]
        return np.asarray(values.astype(np.float64) <= numbers)

    low = np.full(count(base), -LAST, np.int64)
    high = -low
    start, end = is_below(low), is_below(high)
    for _ in range(STEPS):
        middle = (low + high) // 2
        same = is_below(middle) == start
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    return np.where(start != end, number(low), np.float32(np.nan))
