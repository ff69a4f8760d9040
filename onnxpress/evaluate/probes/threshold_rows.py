"""Pairs of rows on both sides of a split, neighbours in one raw column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxpress.evaluate.inner_tensors import InnerTensors
from onnxpress.evaluate.probes.bisection import Bisection, with_values
from onnxpress.evaluate.probes.float_order import number, rank
from onnxpress.evaluate.probes.raw_columns import MovingColumn, RawColumn, Wanted, find_sources
from onnxpress.evaluate.probes.row_sets import count, joined, recombined
from onnxpress.evaluate.probes.rows_at_splits import RowsAtSplits
from onnxpress.evaluate.probes.splits import (
    Operator,
    Split,
    distinct_splits,
    read_operators,
    tree_nodes,
)
from onnxpress.evaluate.probes.starting_pairs import RowPair, Target
from onnxpress.tables.rows import Feeds, take

Random = np.random.Generator

SAMPLE_CELLS = 10_000_000
"""Upper bound on the cells of what trees read for the sampled training rows."""


@dataclass(frozen=True)
class ThresholdRows:
    """Rows at the thresholds of a model, and how many thresholds they reach."""

    feeds: Feeds
    columns: tuple[RawColumn, ...]
    """For each row, the column in which it differs from its neighbour."""
    thresholds: int
    """Distinct finite thresholds of the model's trees, by column and comparison."""
    tried: int
    """Thresholds for which rows were looked for; fewer than all if they need too many rows."""
    hit: int
    """Thresholds with two neighbouring rows that reach the split and part there."""
    operators: int
    """Tree operators of the model."""
    unread: int
    """Tree operators that cannot be read, and so have no probes."""

    def __len__(self) -> int:
        return len(self.columns)


def threshold_rows(model: onnx.ModelProto, feeds: Feeds, rows: int, rng: Random) -> ThresholdRows:
    """Make up to ``rows`` rows at the thresholds of ``model``'s trees from the rows in ``feeds``.

    1. Splits that compare the same count as one threshold. If ``rows`` are too few for all, some
       are drawn at random.
    2. A pair starts from a row of the data that reaches the split, or if none does, from one that
       mixes two rows.
    3. In a column of numbers the two are moved together until they are float32 neighbours. In a
       column of text they are the known values nearest to the threshold on either side.
    4. The pair is run up to the trees: a threshold counts as hit only if both rows reach the split.
    """
    nodes, inside = tree_nodes(model)
    if not nodes or not rows:
        return ThresholdRows(_none(feeds), (), 0, 0, 0, len(nodes) + inside, inside)
    inputs = InnerTensors(model, dict.fromkeys(node.input[0] for node in nodes))
    own = _sample(inputs, feeds, rng)
    sample = joined(own, recombined(own, rng))
    operators = read_operators(nodes, inputs(take(sample, np.arange(1))))
    splits = distinct_splits(operators, inputs(_shuffled(sample, rng)))
    random = splits[rng.permutation(len(splits))[: rows // 2]].tolist()
    chosen = [Split(operator, at) for operator, at in random]
    values = inputs(sample)
    sources = find_sources(inputs, sample, values, _wanted(operators, chosen), rng)
    reaching = RowsAtSplits(operators, sample, values, preferred=count(own))
    targets = _targets(operators, chosen, sources, reaching)
    pairs, hit = _settled(targets, Bisection(inputs, operators, sample))
    made, columns = _as_rows(pairs, sample, rows)
    unread = len(nodes) - len(operators) + inside
    counts = (len(splits), len(chosen), hit, len(nodes) + inside, unread)
    return ThresholdRows(made, columns, *counts)


def _none(feeds: Feeds) -> Feeds:
    return take(feeds, np.zeros(0, np.intp))


def _sample(inputs: InnerTensors, feeds: Feeds, rng: Random) -> Feeds:
    """Return as many rows as fit in memory with what the trees read of them."""
    size = count(feeds)
    first = inputs(take(feeds, np.arange(1)))
    limit = max(200, SAMPLE_CELLS // sum(values.shape[1] for values in first.values()))
    return feeds if size <= limit else take(feeds, np.sort(rng.permutation(size)[:limit]))


def _shuffled(feeds: Feeds, rng: Random) -> Feeds:
    """Return the rows with every column shuffled by itself, so that equal columns differ."""
    return {name: rng.permuted(values, axis=0) for name, values in feeds.items()}


def _wanted(operators: Sequence[Operator], splits: Sequence[Split]) -> Wanted:
    """Return the columns that ``splits`` compare, by tensor."""
    found: dict[str, set[int]] = {}
    for split in splits:
        name, feature = operators[split.operator].compares(split.at)
        found.setdefault(name, set()).add(feature)
    return {name: np.array(sorted(features), np.int64) for name, features in found.items()}


def _targets(
    operators: Sequence[Operator],
    splits: Sequence[Split],
    sources: dict[tuple[str, int], MovingColumn],
    reaching: RowsAtSplits,
) -> list[Target]:
    """Return the splits whose column some raw column moves, tree by tree."""
    found = []
    for split in sorted(splits, key=lambda each: (each.operator, each.at)):
        source = sources.get(operators[split.operator].compares(split.at))
        if source:
            found.append(Target(split, source, reaching.nearest(split, source.column)))
    return found


def _settled(targets: list[Target], bisection: Bisection) -> tuple[list[RowPair], int]:
    """Return a pair for each target that has one, those that reach the split first, and how many.

    All targets are tried at once, each with its next starting pair, until it is hit or has no more.
    """
    attempts = [bisection.starting_pairs(target) for target in targets]
    hit: dict[int, RowPair] = {}
    beside: dict[int, RowPair] = {}
    waiting = list(range(len(targets)))
    while waiting:
        tried = {i: pair for i in waiting if (pair := next(attempts[i], None))}
        pairs = dict(zip(tried, bisection.settle(list(tried.values())), strict=True))
        apart = {i: pair for i, pair in pairs.items() if pair}
        reached = dict(zip(apart, bisection.reached(list(apart.values())), strict=True))
        for i, pair in apart.items():
            (hit if reached[i] else beside).setdefault(i, pair)
        waiting = [i for i in tried if i not in hit]
    return [*hit.values(), *(pair for i, pair in beside.items() if i not in hit)], len(hit)


def _as_rows(pairs: list[RowPair], sample: Feeds, rows: int) -> tuple[Feeds, tuple[RawColumn, ...]]:
    """Return both rows of every pair; then, for numbers, the neighbour beyond on the true side."""
    # A pair with the neighbouring numbers true = 7 and false = 8, and a pair of texts a, b:
    #   pairs    p0 p0 p1 p1 p0
    #   values    7  8  a  b  6      and only the first `rows` of these
    numeric = [pair for pair in pairs if pair.numeric]
    doubled = [pair for pair in pairs for _ in (0, 1)]
    values = [value for pair in pairs for value in pair.values]
    beyond = list(number(_beyond(numeric)))
    those = [*doubled, *numeric][:rows]
    made = with_values(sample, those, [*values, *beyond][:rows])
    return made, tuple(pair.target.source.column for pair in those)


def _beyond(pairs: list[RowPair]) -> NDArray[np.int64]:
    """Return the rank as far beyond the true value as the false one is before it, (pairs,)."""
    true, false = (rank(np.array([pair.values[i] for pair in pairs])) for i in (0, 1))
    return 2 * true - false
