"""Splits on sets of codes as splits on columns of 0 and 1 that operators compute before the trees.

LightGBM's categorical splits come as chains of ``x == a``, else ``x == b``, ... with one child
for all that are equal. A chain of the codes {2, 5} becomes one split on a column:

    x    Equal [NaN, 2, 5, 7]   ArgMax   row of the table   is 2 or 5?   is 7?
    5    0 0 1 0                2        1 0                1            0
    6    0 0 0 0                0        0 0                0            0
    NaN  0 0 0 0                0        0 0                0            0

TreeEnsemble (ai.onnx.ml 5) has a split of its own on sets, BRANCH_MEMBER. onnxruntime 1.23 to
1.31 find 40.5 in {40}, 1.21 and 1.22 mix up codes and take seconds to load it; none is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper

from onnxpress.graph.bit_table import bit_table
from onnxpress.graph.trees.forest import Floats, Forest, Mode
from onnxpress.graph.writer import GraphWriter
from onnxpress.quantize.forest.lossless.passes import take_splits
from onnxpress.quantize.forest.lossless.site import Site

MIN_OPSET = 11
"""Equal compares floats from here on."""


@dataclass(frozen=True)
class Chains:
    """Chains of equal comparisons: ``sets[i]`` leads from ``heads[i]`` to its true child."""

    heads: NDArray[np.intp]  # (chains,) the first split of each
    last: NDArray[np.intp]  # (chains,) the last split of each, whose false child all others lead to
    sets: tuple[Floats, ...]  # sorted codes of each


def with_code_columns(forest: Forest, site: Site, x: str) -> tuple[Forest, str]:
    """``forest`` without chains, and the name of the rows that it reads.

    The rows get columns for the sets of the chains. Both stay as they are if there is no chain.
    Chains on which a missing value takes the true branch stay.
    """
    writer = site.writer
    if writer.opset < MIN_OPSET or site.x_type not in (TensorProto.FLOAT, TensorProto.DOUBLE):
        return forest, x
    chains = find_chains(forest)
    if all(len(codes) == 1 for codes in chains.sets):
        return forest, x
    tables, column = _tables(forest, chains)
    inside = _inside(forest, chains)
    others = ~inside
    others[chains.heads] = False
    numbers = np.unique(forest.feature[others])
    parts = []
    if len(numbers):
        columns = writer.constant(numbers.astype(np.int64))
        parts.append(writer.add("Gather", x, columns, axis=1))
    parts += [_columns(table, writer, x) for table in tables]
    rows = writer.add("Concat", *parts, axis=1)
    return _without(_asking_columns(forest, chains, numbers, column), inside), rows


def _asking_columns(
    forest: Forest, chains: Chains, numbers: NDArray[np.int32], column: NDArray[np.int32]
) -> Forest:
    """``forest`` whose chains' first splits ask whether a column is 0, their false side first.

    The columns are those of the features ``numbers``, then the sets'; ``column`` (chains,) is the
    column of each chain among the sets'. With the features [3, 7] the sets' columns start at 2.
    """
    heads = chains.heads
    mode, threshold = forest.mode.copy(), forest.threshold.copy()
    feature = np.searchsorted(numbers, forest.feature).astype(np.int32)
    true_child, false_child = forest.true_child.copy(), forest.false_child.copy()
    mode[heads], threshold[heads] = Mode.LEQ, 0.5
    feature[heads] = len(numbers) + column
    true_child[heads] = forest.false_child[chains.last]
    false_child[heads] = forest.true_child[heads]
    changed = replace(forest, feature=feature, mode=mode, threshold=threshold)
    return replace(changed, true_child=true_child, false_child=false_child)


def _without(forest: Forest, gone: NDArray[np.bool_]) -> Forest:
    """``forest`` without the splits ``gone`` (splits,), which nothing leads to.

    Of the splits 0 to 3 without 1, the numbers are 0, -, 1 and 2.
    """
    number = (np.cumsum(~gone) - 1).astype(np.int32)

    def renumbered(children: NDArray[np.int32]) -> NDArray[np.int32]:
        return np.where(children >= 0, number[np.maximum(children, 0)], children).astype(np.int32)

    kept = take_splits(forest, np.flatnonzero(~gone).astype(np.int32))
    return replace(
        kept,
        true_child=renumbered(kept.true_child),
        false_child=renumbered(kept.false_child),
        roots=renumbered(kept.roots),
    )


def find_chains(forest: Forest) -> Chains:
    """All comparisons with codes, as chains.

    Splits are one chain if each is the false child of the one before it and of nothing else, and
    they have the same feature and the same true child.
    """
    children = np.concatenate([forest.true_child, forest.false_child, forest.roots])
    parents = np.bincount(children[children >= 0], minlength=forest.n_splits)
    single = (forest.mode == Mode.EQ) & ~forest.missing_true & ~np.isnan(forest.threshold)
    following = forest.false_child
    linked = np.flatnonzero(single & (following >= 0))
    linked = linked[single[following[linked]] & (parents[following[linked]] == 1)]
    for values in (forest.feature, forest.true_child):
        linked = linked[values[linked] == values[following[linked]]]
    joined, inside = np.zeros(forest.n_splits, np.bool_), np.zeros(forest.n_splits, np.bool_)
    joined[linked] = True
    inside[following[linked]] = True
    heads = np.flatnonzero(single & ~inside)
    sets = [[forest.threshold[head]] for head in heads]
    last = heads.copy()
    active = np.flatnonzero(joined[heads])
    while len(active):
        last[active] = following[last[active]]
        for chain, value in zip(active, forest.threshold[last[active]], strict=True):
            sets[chain].append(value)
        active = active[joined[last[active]]]
    dtype = forest.threshold.dtype
    sorted_sets = tuple(np.unique(np.array(codes, dtype)) for codes in sets)
    return Chains(heads, last, sorted_sets)


def _inside(forest: Forest, chains: Chains) -> NDArray[np.bool_]:
    """The splits of chains behind the first, (splits,): nothing leads to them afterwards."""
    found = np.zeros(forest.n_splits, np.bool_)
    current = chains.heads[chains.heads != chains.last]
    last = chains.last[chains.heads != chains.last]
    while len(current):
        current = forest.false_child[current]
        found[current] = True
        current, last = current[current != last], last[current != last]
    return found


@dataclass(frozen=True)
class _Table:
    """Which sets (columns) each of ``codes`` (rows) of a feature is in."""

    feature: int
    codes: Floats
    members: NDArray[np.bool_]


def _tables(forest: Forest, chains: Chains) -> tuple[list[_Table], NDArray[np.int32]]:
    """A table for each feature, and the column of each chain.

    The tables' columns lie one after another: those of the second table start behind the first.
    """
    column = np.zeros(len(chains.heads), np.int32)
    tables: list[_Table] = []
    start = 0
    features = forest.feature[chains.heads]
    for feature in np.unique(features):
        at = np.flatnonzero(features == feature)
        distinct = _distinct([chains.sets[chain] for chain in at])
        column[at] = start + distinct
        codes = np.unique(np.concatenate([chains.sets[chain] for chain in at]))
        width = int(distinct.max()) + 1
        members = np.zeros((len(codes), width), np.bool_)
        for number, chain in zip(distinct, at, strict=True):
            members[np.searchsorted(codes, chains.sets[chain]), number] = True
        tables.append(_Table(int(feature), codes, members))
        start += width
    return tables, column


def _distinct(sets: Sequence[Floats]) -> NDArray[np.int32]:
    """The number of each set among the different ones, in order of appearance.

    >>> _distinct([np.float32([2, 5]), np.float32([7]), np.float32([2, 5])]).tolist()
    [0, 1, 0]
    """
    numbers: dict[bytes, int] = {}
    return np.array([numbers.setdefault(codes.tobytes(), len(numbers)) for codes in sets], np.int32)


def _columns(table: _Table, writer: GraphWriter, x: str) -> str:
    """(rows, sets) of 0 and 1."""
    value = writer.add("Gather", x, writer.constant(np.array([table.feature])), axis=1)
    none_first = np.concatenate([[np.nan], table.codes]).astype(table.codes.dtype)
    equal = writer.add("Equal", value, writer.constant(none_first))
    hit = writer.add("Cast", equal, to=TensorProto.FLOAT)
    position = writer.add("ArgMax", hit, axis=1, keepdims=0)
    members = np.concatenate([np.zeros_like(table.members[:1]), table.members])
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(table.codes.dtype))
    return writer.add("Gather", bit_table(members, writer, kind), position, axis=0)
