"""A boosted ensemble in the form that all readers make, whichever library has written it.

A reader is a function from the bytes of a native file to a :class:`BoosterModel`. It must give:

1. Numbers as the library uses them: thresholds, values, base and scale in float64. The rows are
   float32. A split sends ``x <= threshold`` left: of a library that asks ``x < t`` the threshold is
   the float32 number below ``t``. ``missing_left`` says where NaN goes.
2. Category splits as memberships: columns of 0 and 1 behind the features, split at 0.5 (1 goes
   right). Column ``len(features)`` is the first split of the first membership, and so on. Splits
   on combinations of features are crossings, behind the memberships.
3. The whole sum: ``base + scale * sum of leaves``, then ``link``. Learning rates are in the leaves,
   trees that the library does not count are left out, and a slope of the logistic is in ``scale``
   and ``base``.
4. A refusal, :class:`Unreadable` or :class:`Unsupported`, of all that it does not know by name:
   it never guesses. Time and memory are bounded by the size of the file.

``BoosterModel`` checks itself when it is made: a reader need not check children, columns or shapes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from onnxpress.errors import UserError
from onnxpress.graph.trees.arrays import Membership, TreeArrays

Library = Literal["lightgbm", "xgboost", "catboost"]

Link = Literal["identity", "logistic", "softmax", "exp", "softplus", "signed_square", "step"]
"""From sums s (rows, outputs) to what the library predicts.

``logistic`` is 1 / (1 + exp(-s)), of each output; ``softplus`` log(1 + exp(s)), ``signed_square``
s * |s|, ``step`` 1 where s > 0 and else 0.
"""

LARGEST_CODE = 2**24
"""Whole numbers from here on are merged by float32."""
TWO = 2


class Unreadable(UserError):
    """Bytes that are no whole file of the library; the message follows the name of the file."""


class Unsupported(UserError):
    """A model with a part that has no exact form here; the message follows the name of the file."""


@dataclass(frozen=True)
class Feature:
    """A column that the trees read."""

    name: str
    """As the file has it; empty if it has none."""
    categories: tuple[Any, ...] | None = None
    """Texts or numbers whose positions the trees read in the place of the values.

    None: the trees read the values themselves.
    """


@dataclass(frozen=True)
class Digit:
    """What a combination reads of one feature: a whole number below ``size``.

    Of a feature of categories it is 1 + the code, and 0 for a missing or new category. Of a number
    it is how many of the ``borders`` are below it, and ``missing`` for NaN.
    """

    feature: int
    size: int
    borders: NDArray[np.float32] | None = None
    """Ascending."""
    missing: int = 0


@dataclass(frozen=True)
class Crossing:
    """Columns of 0 and 1 for splits on combinations of what several features hold.

    Digits 2 of 3, 0 of 2 and 1 of 4 are the combination (2 * 2 + 0) * 4 + 1 = 17.
    """

    digits: tuple[Digit, ...]
    pattern: NDArray[np.int32]
    """(combinations,): a row of ``right``; fewer than ``LARGEST_CODE``."""
    right: NDArray[np.bool_]
    """(patterns, splits): 1 where a row goes right."""


@dataclass(frozen=True)
class BoosterModel:
    """Trees, and what is done before and after them."""

    library: Library
    features: tuple[Feature, ...]
    trees: tuple[TreeArrays, ...]
    """``first_id`` is the output that the first column of ``value`` adds to."""
    base: NDArray[np.float64]
    """(outputs,), not scaled."""
    objective: str
    """By the library's name, for messages."""
    link: Link = "identity"
    scale: float = 1.0
    """Of the sum of the leaves: 1 / trees where a random forest averages."""
    classes: int = 0
    """Number of classes; 0 for a number a row. Two classes may have one output."""
    labels: tuple[Any, ...] | None = None
    """The classes, where the file has them."""
    memberships: tuple[Membership, ...] = ()
    """Of distinct features; their ``categories`` are values as the trees read them."""
    crossings: tuple[Crossing, ...] = ()
    """Their columns are behind those of the memberships."""
    truncated: bool = False
    """Memberships compare the whole part of a value: 2.7 is category 2, and -0.5 is category 0."""
    floored: bool = False
    """Memberships compare the whole number not above a value: 2.7 is category 2, and -0.5 none."""
    missing_in_columns: bool = False
    """Columns are missing where their feature is, so that ``missing_left`` says where it goes.

    If not, a missing value counts as an unknown category.
    """
    zero_as_missing: tuple[int, ...] = ()
    """Features whose values within +- 1e-35 are missing."""
    notes: tuple[str, ...] = ()
    """What a user should know about the file; each follows its name."""
    linear: tuple[int, ...] = ()
    """Features that leaves multiply; NaN counts as 0 in the product.

    ``value`` has 1 + len(linear) columns: the constant, then a factor for each of these features.
    Leaves that take another value where a feature is missing have splits on NaN above them.
    """

    def __post_init__(self) -> None:
        """Check that all parts fit together.

        Raises:
            Unreadable: they do not.
        """
        columns = len(self.features) + sum(one.right.shape[1] for one in self.memberships)
        columns += sum(one.right.shape[1] for one in self.crossings)
        _require(self.link in get_args(Link), f"the link {self.link!r}")
        _require(len(self.base) > 0 and bool(np.isfinite(self.base).all()), "a base that is finite")
        _require(bool(np.isfinite(self.scale)), "a scale that is finite")
        _require(len(self.trees) > 0, "at least one tree")
        if self.classes:
            one_of_two = self.classes == TWO and len(self.base) == 1
            _require(one_of_two or len(self.base) == self.classes, "an output for each class")
        for tree in self.trees:
            _check_tree(tree, columns)
            _require(tree.value.shape[1] % (1 + len(self.linear)) == 0, "a factor a linear feature")
            outputs = tree.value.shape[1] // (1 + len(self.linear))
            within = 0 <= tree.first_id <= len(self.base) - outputs
            _require(within, "trees of the outputs that the model has")

    @property
    def outputs(self) -> int:
        """Number of sums a row."""
        return len(self.base)

    @property
    def nodes(self) -> int:
        """Number of nodes of all trees."""
        return sum(len(tree.split) for tree in self.trees)


def _require(fits: bool, wanted: str) -> None:
    if not fits:
        raise Unreadable(f"is damaged: expected {wanted}")


def _check_tree(tree: TreeArrays, columns: int) -> None:
    """Raise Unreadable unless the rows are one tree of the root that reads these columns.

    Each row but the root is the child of one row, and all hang together: what hangs from the root
    is counted level by level.
    """
    split, size = tree.split, len(tree.split)
    children = np.concatenate([tree.left[split], tree.right[split]]).astype(np.int64)
    _require(size == 1 + len(children), "trees with a parent for each node")
    _require(np.array_equal(np.sort(children), np.arange(1, size)), "nodes with one parent each")
    feature = tree.feature[split]
    read = bool(((feature >= 0) & (feature < columns)).all())
    _require(read, f"splits on features 0 to {columns - 1}")
    _require(bool(np.isfinite(tree.value[~split]).all()), "finite values in leaves")
    _require(not np.isnan(tree.threshold[split]).any(), "thresholds that are numbers")
    if bool((np.minimum(tree.left, tree.right)[split] > np.flatnonzero(split)).all()):
        return  # children behind their parents: no circle is possible
    level, seen = np.zeros(1, np.int64), 0
    while len(level):
        seen += len(level)
        inner = level[split[level]]
        level = np.concatenate([tree.left[inner], tree.right[inner]]).astype(np.int64)
    _require(seen == size, "nodes that hang together")
