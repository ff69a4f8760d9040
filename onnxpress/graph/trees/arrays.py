"""Fitted trees as arrays, one row for each node, whoever has fitted them.

The attributes of ONNX's tree operators are made of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class TreeArrays:
    """One tree, a row for each node; the root is the first, ``x <= threshold`` goes left.

    A tree that splits at x[3] <= 0.5, then on the right at x[1] <= 2, and has three leaves:

        row        0      1      2      3      4
        split      True   False  True   False  False
        feature    3      -2     1      -2     -2
        threshold  0.5    -2     2      -2     -2
        left       1      -1     3      -1     -1
        right      2      -1     4      -1     -1

    What feature, threshold, left and right hold in the rows of leaves means nothing.
    """

    split: Array
    """(nodes,) bool; the other nodes are leaves."""
    feature: Array
    """(nodes,) int."""
    threshold: Array
    """(nodes,) float64."""
    left: Array
    """(nodes,) int, the row of the child."""
    right: Array
    """(nodes,) int, the row of the child."""
    missing_left: Array
    """(nodes,) bool: NaN goes left."""
    value: Array
    """(nodes, columns) float64, a column for each output and class; those of leaves count."""
    first_id: int = 0
    """The class or target that the first column of ``value`` is for."""


@dataclass(frozen=True)
class Membership:
    """Columns, one for each distinct category split of one feature: 1 for rows that go right."""

    feature: int
    categories: Array
    """(categories,) float32, as they come in the rows."""
    right: Array
    """(1 + categories, splits) bool; the first row is for missing values and unknown categories."""
