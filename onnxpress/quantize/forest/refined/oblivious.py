"""Oblivious trees: all splits of one level of a tree ask the same question, so a tree is d questions and a table.

Such a tree needs d thresholds for its 2^d leaves where an ordinary one needs 2^d - 1, and its leaf is found by comparing
and adding whole arrays instead of following pointers. The structure is CatBoost's (Prokhorenkova et al., "CatBoost:
unbiased boosting with categorical features", 2018; Kohavi, "Bottom-up induction of oblivious read-once decision graphs", 1994).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.quantize.forest.refined.losses import Matrix


@dataclass(frozen=True)
class Questions:
    """The splits of ``trees`` oblivious trees of one depth: is ``x[feature] < threshold``? NaN answers no.

    The answer at level ``l`` is bit ``l`` of the leaf's number.
    """

    feature: NDArray[np.int64]  # (trees, depth)
    threshold: NDArray[np.float32]  # (trees, depth)

    def leaves(self, x: NDArray[np.float32]) -> NDArray[np.int64]:
        """The leaf that each row of ``x`` (rows, features) reaches in each tree, (rows, trees)."""
        found = np.zeros((len(x), len(self.feature)), np.int64)
        for level in range(self.feature.shape[1]):
            found |= (x[:, self.feature[:, level]] < self.threshold[:, level]).astype(
                np.int64
            ) << level
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
        return np.asarray(
            self.table[trees, leaves].sum(axis=1, dtype=np.int64) * self.scale.astype(float)
            + self.offset
        )


def quantised(questions: Questions, values: NDArray[Any], offset: NDArray[Any]) -> ObliviousForest:
    """``values`` (trees, 2 ** depth, columns) rounded to int8 with one scale per column (symmetric, as ONNX has it)."""
    largest = np.abs(values).max(axis=(0, 1))
    scale = np.where(largest > 0, largest / 127, 1.0)
    table = np.rint(values / scale).astype(np.int8)
    return ObliviousForest(
        questions, table, scale.astype(np.float32), np.asarray(offset, np.float32)
    )
