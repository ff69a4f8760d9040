"""Linear leaves of LightGBM: a constant, and factors of features.

A row with one of these features missing gets the leaf's plain value instead. So splits on NaN are
put above the leaf; ``x <= inf`` holds for each number. A leaf on features 3 and 5 becomes

    x3 <= inf ── yes: x5 <= inf ── yes: the constant and the factors
        └─ no: value      └─ no: value
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from onnxpress.boosters.model import Unreadable, Unsupported
from onnxpress.graph.trees.arrays import Array, TreeArrays

MOST_CELLS = 2**27
"""Factors of all leaves of a tree, the zeros among them."""


@dataclass(frozen=True)
class LinearLeaves:
    """Those of one tree, by leaf."""

    constant: Array
    """(leaves,)"""
    features: tuple[Array, ...]
    factors: tuple[Array, ...]

    @classmethod
    def of(cls, fields: Any, leaves: int) -> LinearLeaves:
        """Read the lines of a tree."""
        counts = fields.numbers("num_features", leaves, np.int64)
        if bool((counts < 0).any()):
            raise Unreadable("is damaged: a number of features below 0 in a leaf")
        ends, total = np.cumsum(counts)[:-1], int(counts.sum())
        features = fields.numbers("leaf_features", total, np.int64)
        factors = fields.numbers("leaf_coeff", total)
        return cls(
            fields.numbers("leaf_const", leaves),
            tuple(np.split(features, ends)),
            tuple(np.split(factors, ends)),
        )


def linear_features(trees: Sequence[LinearLeaves | None]) -> tuple[int, ...]:
    """List the features that any leaf multiplies."""
    found: set[int] = set()
    for tree in trees:
        for features in tree.features if tree is not None else ():
            found.update(features.tolist())
    return tuple(sorted(found))


def with_linear_leaves(
    tree: TreeArrays, linear: LinearLeaves | None, leaves: int, shared: tuple[int, ...]
) -> TreeArrays:
    """Return ``tree`` with a column of values for the constant and for each feature of ``shared``.

    Category splits are not on their columns yet, so that features are those of the rows.

    Raises:
        Unsupported: there would be too many values.
    """
    if linear is None and not shared:
        return tree
    split, feature = tree.split.tolist(), tree.feature.tolist()
    threshold, missing_left = tree.threshold.tolist(), tree.missing_left.tolist()
    left, right = tree.left.tolist(), tree.right.tolist()
    value = [[one] for one in tree.value[:, 0]]
    sets = [] if linear is None else list(zip(linear.features, linear.factors, strict=True))
    added = 2 * sum(len(features) for features, _ in sets)
    if (len(split) + added) * (1 + len(shared)) > MOST_CELLS:
        raise Unsupported("has linear leaves of too many features")

    def new(plain: float) -> int:
        for column, empty in (
            *((split, False), (feature, 0), (threshold, 0.0)),
            *((missing_left, False), (left, 0), (right, 0)),
        ):
            column.append(empty)
        value.append([plain])
        return len(split) - 1

    factors: list[tuple[int, Array, Array]] = []
    for leaf, (features, own) in enumerate(sets):
        row = leaves - 1 + leaf
        plain = value[row][0]
        for one in features.tolist():
            split[row], feature[row], threshold[row] = True, one, np.inf
            left[row], right[row] = new(plain), new(plain)
            row = left[row]
        value[row] = [linear.constant[leaf]] if linear is not None else value[row]
        factors.append((row, features, own))
    values = np.zeros((len(split), 1 + len(shared)))
    values[:, 0] = np.concatenate(value)
    for row, features, own in factors:
        np.add.at(values[row], 1 + np.searchsorted(shared, features), own)
    return TreeArrays(
        split=np.array(split, bool),
        feature=np.array(feature, np.int64),
        threshold=np.array(threshold, np.float64),
        left=np.array(left, np.int64),
        right=np.array(right, np.int64),
        missing_left=np.array(missing_left, bool),
        value=values,
        first_id=tree.first_id,
    )
