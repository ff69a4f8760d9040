"""Grow oblivious trees by gradient boosting on histograms, for targets of any number of columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix

from onnxpress.quantize.forest.refined.losses import Loss, Matrix
from onnxpress.quantize.forest.refined.oblivious import Questions

_SKETCH = 4  # columns of gradients looked at when a split is chosen


@dataclass(frozen=True)
class Growth:
    """How to grow: ``trees`` of ``depth`` levels, each adding ``rate`` of a Newton step damped by ``ridge`` rows."""

    trees: int
    depth: int
    rate: float = 0.25
    ridge: float = 5.0
    max_features: int = 32
    max_rows: int = 40_000


@dataclass(frozen=True)
class Bins:
    """Feature values as the number of cut points below them; ``x < cuts[c]`` is ``code <= c``."""

    code: NDArray[np.int32]  # (rows, features); NaN is right of every cut
    cuts: tuple[NDArray[np.float32], ...]  # per feature, ascending

    @property
    def width(self) -> int:
        """The largest number of bins of a feature."""
        return max(len(cut) for cut in self.cuts) + 1


def cut_points(column: NDArray[np.float32], limit: int = 32) -> NDArray[np.float32]:
    """At most ``limit`` float32 thresholds that tell the rows of ``column`` apart by ``<``: midway between neighbours.

    Where there are too many, those next to the quantiles. A column with missing values has one more, infinity.
    """
    finite = column[np.isfinite(column)]
    values, counts = np.unique(finite, return_counts=True)
    middle = np.float32(0.5) * values[1:] + np.float32(0.5) * values[:-1]
    middle = np.where(
        middle > values[:-1], middle, values[1:]
    )  # neighbours with no float32 between them
    if len(middle) > limit:
        below = np.cumsum(counts)[:-1] / len(finite)
        middle = middle[
            np.unique(
                np.searchsorted(below, np.arange(1, limit + 1) / (limit + 1)).clip(
                    0, len(middle) - 1
                )
            )
        ]
    missing = [np.inf] if np.isnan(column).any() else []
    return np.unique(np.concatenate([middle, missing]).astype(np.float32))


def binned(x: NDArray[np.float32], cuts: tuple[NDArray[np.float32], ...]) -> Bins:
    """``x`` (rows, features) as bins between ``cuts``."""
    codes = [
        np.searchsorted(cut, column, side="right") for cut, column in zip(cuts, x.T, strict=True)
    ]
    return Bins(np.stack(codes, axis=1).astype(np.int32), cuts)


def grow(
    bins: Bins, target: Matrix, loss: Loss, growth: Growth, seed: int
) -> tuple[Questions, Matrix, Matrix]:
    """Trees fitted to ``target`` (rows, columns) one after another.

    Returns the questions, leaf values (trees, 2 ** depth, columns) and the offset (columns,) they start from.
    Splits are chosen on a random sample of rows and features and on a random projection of the gradients to a few
    columns (Iosipoi and Vakhrushev, "SketchBoost", 2022); leaf values are fitted on all rows and columns.
    """
    random = np.random.default_rng(seed)
    offset = loss.start(target.mean(axis=0))
    scores = np.tile(offset, (len(target), 1))
    features, places, values = [], [], []
    for _ in range(growth.trees):
        mean = loss.mean(scores)
        slope = target - mean
        feature, place = _choose_questions(bins, slope, growth, random)
        leaf = _bits(bins.code, feature, place)
        value = growth.rate * _newton_step(leaf, slope, loss.curvature(mean), growth)
        scores += value[leaf]
        features.append(feature)
        places.append(place)
        values.append(value)
    feature = np.array(features)
    threshold = np.array(
        [
            [bins.cuts[f][p] for f, p in zip(*tree, strict=True)]
            for tree in zip(features, places, strict=True)
        ]
    )
    return Questions(feature, threshold.astype(np.float32)), np.array(values), offset


def _choose_questions(
    bins: Bins, slope: Matrix, growth: Growth, random: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Feature and cut of each level, (depth,) each: the pair with the largest summed gain over all leaves so far."""
    rows = _sample(random, len(slope), growth.max_rows)
    code = bins.code[rows]
    columns = slope[rows]
    if columns.shape[1] > _SKETCH:
        columns = columns @ random.normal(size=(columns.shape[1], _SKETCH))
    weighed = np.hstack([columns, np.ones((len(rows), 1))]).astype(np.float32)
    usable = np.array([len(cut) for cut in bins.cuts])
    leaf = np.zeros(len(rows), np.int32)
    feature, place = np.zeros((2, growth.depth), np.int64)
    for level in range(growth.depth):
        tried = _sample(random, len(usable), growth.max_features)
        gain = _gains(code[:, tried], leaf, weighed, 1 << level, bins.width, growth.ridge)
        gain[np.arange(bins.width - 1) >= usable[tried, None]] = -1.0
        best, place[level] = np.unravel_index(gain.argmax(), gain.shape)
        feature[level] = tried[best]
        leaf |= (code[:, feature[level]] <= place[level]).astype(np.int32) << level
    return feature, place


def _sample(random: np.random.Generator, total: int, limit: int) -> NDArray[np.int64]:
    """At most ``limit`` of ``range(total)``, ascending."""
    return (
        np.arange(total) if total <= limit else np.sort(random.choice(total, limit, replace=False))
    )


def _gains(
    code: NDArray[np.int32],
    leaf: NDArray[np.int32],
    columns: NDArray[np.float32],
    leaves: int,
    width: int,
    ridge: float,
) -> Matrix:
    """Gain of splitting every leaf at each cut of each feature, (features, width - 1).

    The histogram is a product with a sparse 0/1 matrix whose columns are rows of data: one pass, no sorting.
    """
    rows, features = code.shape
    cell = (leaf * features)[:, None] * width + np.arange(features, dtype=np.int32) * width + code
    ones = np.ones(cell.size, np.float32)
    member = csc_matrix(
        (ones, cell.ravel(), np.arange(0, cell.size + 1, features)),
        shape=(leaves * features * width, rows),
    )
    below = (member @ columns).reshape(leaves, features, width, -1).cumsum(axis=2, dtype=np.float64)
    above = below[:, :, -1:] - below
    gain = sum(
        (part[..., :-1] ** 2).sum(axis=-1) / (part[..., -1] + ridge) for part in (below, above)
    )
    total: Matrix = np.asarray(gain)[:, :, :-1].sum(axis=0)
    return total


def _bits(
    code: NDArray[np.int32], feature: NDArray[np.int64], place: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Leaf numbers (rows,) of one tree."""
    answers = (code[:, feature] <= place).astype(np.int64)
    return np.asarray((answers << np.arange(len(feature))).sum(axis=1))


def _newton_step(
    leaf: NDArray[np.int64], slope: Matrix, curvature: Matrix, growth: Growth
) -> Matrix:
    """Leaf values (2 ** depth, columns) that would cancel the slope, damped for leaves with few rows."""
    size = 1 << growth.depth
    top = [np.bincount(leaf, column, size) for column in slope.T]
    bottom = [np.bincount(leaf, column, size) for column in curvature.T]
    # a classifier's curvature is at most 1/4 per row, so its damping is a quarter as well
    damping = growth.ridge * min(1.0, float(curvature.max()))
    step: Matrix = np.stack(top, axis=1) / (np.stack(bottom, axis=1) + damping)
    return step
