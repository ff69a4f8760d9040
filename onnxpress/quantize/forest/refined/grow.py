"""Growing oblivious trees by gradient boosting on histograms, for any number of targets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix

from onnxpress.quantize.forest.refined.bins import Bins
from onnxpress.quantize.forest.refined.losses import Loss, Matrix
from onnxpress.quantize.forest.refined.oblivious import Questions

_SKETCH = 4  # columns of gradients looked at when a split is chosen
_STEPS = 1 << 15
"""Whole numbers that stand for the gradients of one sign: sums of them have no rounding, so that
no order of adding them decides a split (Shi et al., "Quantized training of gradient boosting
decision trees", 2022)."""
_INT32_MAX = 2**31 - 1

_CACHED = 1 << 15
"""Cells of a histogram that are treated at a time, few enough to stay in the processor's cache."""


@dataclass(frozen=True)
class Growth:
    """How to grow: ``trees`` of ``depth`` levels.

    Each adds ``rate`` of a Newton step that is damped by ``ridge`` rows. A split is chosen among
    ``max_features`` features, by ``max_rows`` rows.
    """

    trees: int
    depth: int
    rate: float = 0.25
    ridge: float = 5.0
    max_features: int = 32
    max_rows: int = 40_000


def grow(
    bins: Bins, target: Matrix, loss: Loss, growth: Growth, seed: int
) -> tuple[Questions, Matrix, Matrix]:
    """Trees fitted to ``target`` (rows, columns) one after another.

    Returns the questions, leaf values (trees, 2 ** depth, columns) and the offset (columns,) they
    start from. Splits are chosen on a random sample of rows and features, and on a random
    projection of the gradients to a few columns (Iosipoi and Vakhrushev, "SketchBoost", 2022). Leaf
    values are fitted on all rows and columns.
    """
    random = np.random.default_rng(seed)
    offset = loss.start(target.mean(axis=0))
    scores = np.tile(offset, (len(target), 1))
    features, places, values = [], [], []
    for _ in range(growth.trees):
        mean = loss.mean(scores)
        slope = target - mean
        feature, place = _choose_questions(bins, slope, growth, random)
        leaf = _leaf_numbers(bins.code, feature, place)
        value = growth.rate * _newton_step(leaf, slope, loss.curvature(mean), growth)
        scores += value[leaf]
        features.append(feature)
        places.append(place)
        values.append(value)
    thresholds = [_thresholds(bins, *tree) for tree in zip(features, places, strict=True)]
    questions = Questions(np.array(features), np.array(thresholds).astype(np.float32))
    return questions, np.array(values), offset


def _thresholds(
    bins: Bins, feature: NDArray[np.int64], place: NDArray[np.int64]
) -> list[np.float32]:
    """The cut of each level of a tree."""
    return [bins.cuts[number][cut] for number, cut in zip(feature, place, strict=True)]


def _choose_questions(
    bins: Bins, slope: Matrix, growth: Growth, random: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Feature and cut of each level, (depth,) each.

    They are the pair with the largest gain, summed over all leaves so far.
    """
    rows = _sample(random, len(slope), growth.max_rows)
    code = bins.code[rows]
    columns = slope[rows]
    if columns.shape[1] > _SKETCH:
        columns = _projected(columns, random.normal(size=(columns.shape[1], _SKETCH)))
    weighed = np.hstack([_whole(columns), np.ones((len(rows), 1), np.int32)])
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


def _projected(columns: Matrix, directions: Matrix) -> Matrix:
    """``columns @ directions``, but not by BLAS, whose order of sums is that of this CPU."""
    total = columns[:, :1] * directions[0]
    for column, direction in zip(columns.T[1:], directions[1:], strict=True):
        total += column[:, None] * direction
    return np.asarray(total)


def _whole(columns: Matrix) -> NDArray[np.int32]:
    """``columns`` (rows, columns) in whole numbers up to ``_STEPS``, the largest number of all.

    Of more than 65,000 rows it is less, so that the sum of a column fits into an int32.
    """
    largest = float(np.abs(columns).max())
    steps = min(_STEPS, _INT32_MAX // len(columns))
    return np.rint(columns * (steps / largest if largest else 0.0)).astype(np.int32)


def _sample(random: np.random.Generator, total: int, limit: int) -> NDArray[np.int64]:
    """At most ``limit`` of ``range(total)``, ascending."""
    if total <= limit:
        return np.arange(total)
    return np.sort(random.choice(total, limit, replace=False))


def _gains(
    code: NDArray[np.uint8],
    leaf: NDArray[np.int32],
    columns: NDArray[np.int32],
    leaves: int,
    width: int,
    ridge: float,
) -> Matrix:
    """Gain of splitting every leaf at each cut of each feature, (features, width - 1).

    ``code`` is (rows, features), ``leaf`` (rows,), and ``columns`` (rows, gradients and a 1). The
    histogram is a product with a sparse 0/1 matrix whose columns are rows of data: one pass, no
    sorting. Its rows are cells, one for each leaf, feature and bin. With 1 leaf, 2 features and
    bins up to 2, three rows of data are in the cells

        code     cells
        [0, 2]   [0, 5]    feature 0 has the cells 0 to 2, feature 1 the cells 3 to 5
        [1, 0]   [1, 3]
        [1, 1]   [1, 4]

    A gain is the square of the summed gradients on either side, divided by the number of rows there
    and the ridge.
    """
    rows, features = code.shape
    cell = (leaf * features)[:, None] * width + np.arange(features, dtype=np.int32) * width + code
    ones = np.ones(cell.size, np.int32)
    starts = np.arange(0, cell.size + 1, features)
    member = csc_matrix((ones, cell.ravel(), starts), shape=(leaves * features * width, rows))
    histogram = (member @ columns).reshape(leaves, features, width, -1)
    together = max(1, _CACHED // (features * width))
    total = np.zeros((features, width - 1))
    for first in range(0, leaves, together):
        some = histogram[first : first + together]
        count_below, count_above = _either_side(some[..., -1])
        for column in range(histogram.shape[-1] - 1):
            below, above = _either_side(some[..., column])
            gain = below**2 / (count_below + ridge) + above**2 / (count_above + ridge)
            total += gain.sum(axis=0)
    return total


def _either_side(cells: NDArray[np.int32]) -> tuple[Matrix, Matrix]:
    """Sums of ``cells`` (leaves, features, width) below and above each cut but the last."""
    below = cells.cumsum(axis=2, dtype=np.float64)
    return below[:, :, :-1], below[:, :, -1:] - below[:, :, :-1]


def _leaf_numbers(
    code: NDArray[np.uint8], feature: NDArray[np.int64], place: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Leaf numbers (rows,) of one tree: bit ``l`` is the answer of level ``l``.

    >>> codes = np.uint8([[0, 2], [1, 0], [1, 1]])
    >>> _leaf_numbers(codes, feature=np.array([0, 1]), place=np.array([0, 1])).tolist()
    [1, 2, 2]
    """
    answers = (code[:, feature] <= place).astype(np.int64)
    return np.asarray((answers << np.arange(len(feature))).sum(axis=1))


def _newton_step(
    leaf: NDArray[np.int64], slope: Matrix, curvature: Matrix, growth: Growth
) -> Matrix:
    """Leaf values (2 ** depth, columns) that would cancel the slope, damped where rows are few."""
    size = 1 << growth.depth
    top = [np.bincount(leaf, column, size) for column in slope.T]
    bottom = [np.bincount(leaf, column, size) for column in curvature.T]
    # A classifier's curvature is at most 1/4 per row, so its damping is a quarter as well.
    damping = growth.ridge * min(1.0, float(curvature.max()))
    step: Matrix = np.stack(top, axis=1) / (np.stack(bottom, axis=1) + damping)
    return step
