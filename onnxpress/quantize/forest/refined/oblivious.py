"""Oblivious trees: all splits of one level of a tree are the same question.

So a tree is d questions and a table. It needs d thresholds for its 2^d leaves where an ordinary
tree needs 2^d - 1, and its leaf is found by comparing and adding whole arrays instead of following
pointers. The structure is CatBoost's (Prokhorenkova et al., "CatBoost: unbiased boosting with
categorical features", 2018; Kohavi, "Bottom-up induction of oblivious read-once decision graphs",
1994).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.quantize.forest.refined.losses import Matrix

_INT8_MAX = 127
_NOTHING = _INT8_MAX * float(np.finfo(np.float32).tiny)
"""Leaf values up to here have no scale in float32, and are 0."""
_SCALE_STEPS = 256
_FLOAT32_WHOLE = 2**24
"""Up to here float32 holds all whole numbers."""


@dataclass(frozen=True)
class Questions:
    """The splits of oblivious trees of one depth.

    Each asks whether ``x[feature] < threshold``; for NaN the answer is no. The answer at level
    ``l`` is bit ``l`` of the leaf's number.
    """

    feature: NDArray[np.int64]  # (trees, depth)
    threshold: NDArray[np.float32]  # (trees, depth)

    def leaves(self, x: NDArray[np.float32]) -> NDArray[np.int32]:
        """The leaf that each row of ``x`` (rows, features) reaches in each tree, (rows, trees).

        One tree that asks for x0 < 1 and x1 < 5, and three rows:

        >>> questions = Questions(np.array([[0, 1]]), np.float32([[1, 5]]))
        >>> questions.leaves(np.float32([[0, 0], [0, 9], [2, 4]])).tolist()
        [[3], [1], [2]]
        """
        found = np.zeros((len(x), len(self.feature)), np.int32)
        for level in range(self.feature.shape[1]):
            answers = x[:, self.feature[:, level]] < self.threshold[:, level]
            found |= answers.astype(np.int32) << level
        return found


@dataclass(frozen=True)
class ObliviousForest:
    """Oblivious trees with an int8 leaf table: ``score = scale * sum of table rows + offset``."""

    questions: Questions
    table: NDArray[np.int8]  # (trees, 2 ** depth, columns)
    scale: NDArray[np.float32]  # (columns,)
    offset: NDArray[np.float32]  # (columns,)

    def scores(self, x: NDArray[np.float32]) -> Matrix:
        """Scores (rows, columns) of ``x`` (rows, features)."""
        leaves = self.questions.leaves(x)
        trees = np.arange(self.table.shape[0])
        sums = self.table[trees, leaves].sum(axis=1, dtype=np.int64)
        return np.asarray(sums * self.scale.astype(float) + self.offset)

    def adds_up_exactly(self) -> bool:
        """Whether float32 holds the offset with any sum of leaf values, in whichever order."""
        most = np.abs(self.table.astype(np.int64)).max(axis=1).sum(axis=0) * self.scale
        whole = (np.abs(self.offset.astype(float)) + most) / _step(self.scale)
        return bool((whole <= _FLOAT32_WHOLE).all())


def quantised(questions: Questions, values: NDArray[Any], offset: NDArray[Any]) -> ObliviousForest:
    """``values`` (trees, 2 ** depth, columns) rounded to int8 with one scale per column.

    The scale is symmetric, as in ONNX: zero stays zero. It has 8 significant bits, so a scaled
    value has 15, and float32 adds 512 of them up without rounding, in whichever order a runtime
    does so. The offset is rounded in the same way, by at most 1/256 of the scale.
    """
    largest = np.abs(values).max(axis=(0, 1))
    scale = _rounded_up(np.where(largest > _NOTHING, largest / _INT8_MAX, 1.0))
    table = np.rint(values / scale).astype(np.int8)
    offset = np.rint(offset / _step(scale)) * _step(scale)
    return ObliviousForest(questions, table, scale.astype(np.float32), offset.astype(np.float32))


def _rounded_up(scale: Matrix) -> Matrix:
    """The next numbers of 8 significant bits.

    >>> _rounded_up(np.array([1.0, 1.001, 100.3]))
    array([  1.       ,   1.0078125, 100.5      ])
    """
    mantissa, exponent = np.frexp(scale)  # 0.5 <= mantissa < 1
    return np.asarray(np.ldexp(np.ceil(mantissa * _SCALE_STEPS) / _SCALE_STEPS, exponent))


def _step(scale: NDArray[Any]) -> Matrix:
    """What scales of 8 significant bits are whole multiples of.

    >>> _step(np.array([1.0, 1.0078125, 100.5]))
    array([0.0078125, 0.0078125, 0.5      ])
    """
    _, exponent = np.frexp(np.asarray(scale, np.float64))
    return np.asarray(np.ldexp(1.0, exponent) / _SCALE_STEPS)


def two_class_scores(score: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scores of both classes from that of the second, on the last axis.

    The softmax of (-z/2, z/2) is the logistic function of z.
    """
    return np.concatenate([-score, score], axis=-1) * np.float32(0.5)
