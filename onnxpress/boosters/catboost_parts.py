"""What a CatBoost file consists of, as it is in the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class FloatFeature:
    """A feature of numbers."""

    index: int
    """Among the features of numbers."""
    column: int
    """Among all features."""
    name: str
    borders: NDArray[np.float32]
    missing_right: bool
    """Whether NaN counts as above all borders; it counts as below them otherwise."""


@dataclass(frozen=True)
class CategoryFeature:
    """A feature of categories."""

    index: int
    """Among the features of categories."""
    column: int
    """Among all features."""
    name: str
    used: bool


@dataclass(frozen=True)
class OneHot:
    """Splits that ask for one category each."""

    feature: int
    """Index among the features of categories."""
    values: NDArray[np.int32]
    """The numbers of the categories."""


@dataclass(frozen=True)
class Projection:
    """What a target statistic depends on: categories, and answers of splits."""

    categories: tuple[int, ...]
    """Indices among the features of categories."""
    floats: tuple[tuple[int, float], ...]
    """Index among the features of numbers, and border."""
    one_hots: tuple[tuple[int, int], ...]
    """Index among the features of categories, and number of a category."""


@dataclass(frozen=True)
class StatisticKey:
    """Which table a target statistic is looked up in."""

    projection: Projection
    kind: str
    classifier: int


@dataclass(frozen=True)
class Statistic:
    """A number made of the counts in a table, and the borders that splits compare it with."""

    key: StatisticKey
    target_border: int
    prior: np.float32
    prior_weight: np.float32
    shift: np.float32
    scale: np.float32
    borders: NDArray[np.float32]


@dataclass(frozen=True)
class StatisticTable:
    """Counts by the hashes of what a projection saw."""

    buckets: NDArray[Any]
    """(buckets,) of ``BUCKET``; the hash 2**64 - 1 is none."""
    blob: NDArray[np.uint8]
    denominator: int
    classes: int


@dataclass(frozen=True)
class CatBoostFile:
    """The parts of a file as they are; how they fit together is not checked."""

    outputs: int
    splits: NDArray[np.int32]
    """Of all trees, numbers among all splits: of floats, one-hot, of statistics."""
    sizes: NDArray[np.int32]
    """Of trees: their splits, or their nodes where there are ``steps``."""
    starts: NDArray[np.int32]
    """Of trees, in ``splits``."""
    floats: tuple[FloatFeature, ...]
    categories: tuple[CategoryFeature, ...]
    one_hots: tuple[OneHot, ...]
    statistics: tuple[Statistic, ...]
    leaf_values: NDArray[np.float64]
    weights: int
    """Number of weights of leaves, which are not used."""
    steps: NDArray[Any]
    """(nodes,) of ``STEP``: distances to the children; none where trees are symmetric."""
    leaf_of_node: NDArray[np.uint32]
    scale: float
    bias: NDArray[np.float64]
    info: dict[str, str]
    tables: dict[StatisticKey, StatisticTable]

    @property
    def names(self) -> dict[int, str]:
        """The names of features by column."""
        numbers = {one.column: one.name for one in self.floats}
        return numbers | {one.column: one.name for one in self.categories}
