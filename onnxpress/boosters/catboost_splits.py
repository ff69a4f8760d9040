"""CatBoost's splits as columns that trees read: features, and columns of 0 and 1 behind them.

All trees number their splits alike: those of numbers by feature and border, then those of one
category each, then those of target statistics by statistic and border.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.boosters.catboost_categories import Category
from onnxpress.boosters.catboost_parts import CatBoostFile, Projection, Statistic
from onnxpress.boosters.catboost_statistics import hash_with, known_hashes, statistic_values
from onnxpress.boosters.city_hash import category_hash
from onnxpress.boosters.model import Crossing, Digit, Unreadable, Unsupported
from onnxpress.graph.trees.arrays import Membership

MOST_COMBINATIONS = 2**22
"""Of one combination of columns; 2**24 of all."""
MOST_SPLITS = 2**22
MOST_CELLS = 2**28
"""Of all memberships' tables: categories times splits."""

Array = NDArray[Any]


@dataclass
class Splits:
    """Where each split reads, and how."""

    column: Array
    """(splits,) int64: features first, then the columns of memberships, then of crossings."""
    threshold: Array
    """(splits,) float64."""
    missing_left: Array
    """(splits,) bool."""
    memberships: tuple[Membership, ...]
    crossings: tuple[Crossing, ...]
    unlisted: dict[tuple[int, ...], int] = field(default_factory=dict)
    """By columns: how many categories, or combinations, have a hash that no listed one has."""


@dataclass
class _Columns:
    """Columns of 0 and 1 that are collected: of one feature, or of one projection."""

    right: list[Array] = field(default_factory=list)
    splits: list[int] = field(default_factory=list)


def splits_of(
    file: CatBoostFile, categories: dict[int, tuple[Category, ...]], width: int
) -> Splits:
    """Place all splits of a file whose rows have ``width`` features.

    ``categories`` are by columns; their numbers are the codes in the rows.

    Raises:
        Unreadable, Unsupported: see :func:`~onnxpress.boosters.catboost.read_catboost`.
    """
    return _Placing(file, categories, width).placed()


class _Placing:
    def __init__(
        self, file: CatBoostFile, categories: dict[int, tuple[Category, ...]], width: int
    ) -> None:
        self._file, self._width = file, width
        self._floats = {one.index: one for one in file.floats}
        self._places = {one.index: one.column for one in file.categories if one.used}
        self._asked = {
            (one.feature, value) for one in file.one_hots for value in one.values.tolist()
        }
        self._hashes = {
            column: np.array([category_hash(str(one)) for one in known], np.uint32).view(np.int32)
            for column, known in categories.items()
        }
        self._single: dict[int, _Columns] = {}
        self._crossed: dict[Projection, _Columns] = {}
        self._crossings: dict[Projection, tuple[tuple[Digit, ...], Array, Array]] = {}
        self._unlisted: dict[tuple[int, ...], int] = {}
        self._combinations = self._cells = 0

    def placed(self) -> Splits:
        column: list[int] = []
        threshold: list[float] = []
        missing_left: list[bool] = []
        self._check_borders()
        for feature in self._file.floats:
            column += [feature.column] * len(feature.borders)
            threshold += feature.borders.tolist()
            missing_left += [not feature.missing_right] * len(feature.borders)
        number = len(column)
        for one_hot in self._file.one_hots:
            place, hashes = self._categories(one_hot.feature)
            self._count_unlisted((place,), one_hot.values, hashes)
            for value in one_hot.values:
                right = np.concatenate([[False], hashes == value])
                self._add(self._single.setdefault(place, _Columns()), right, number)
                number += 1
        for statistic in self._file.statistics:
            columns, values = self._of_statistic(statistic)
            for border in statistic.borders:
                self._add(columns, values > border, number)
                number += 1
        return self._collected(number, column, threshold, missing_left)

    def _collected(
        self, number: int, column: list[int], threshold: list[float], missing_left: list[bool]
    ) -> Splits:
        rest = number - len(column)
        columns = np.array([*column, *[0] * rest], np.int64)
        memberships, crossings, end = [], [], self._width
        for place in sorted(self._single):
            found = self._single[place]
            right, position = _distinct(np.stack(found.right, axis=1))
            known = np.arange(len(right) - 1, dtype=np.float32)
            memberships.append(Membership(place, known, right))
            columns[found.splits] = end + position
            end += right.shape[1]
        for projection, found in self._crossed.items():
            right, position = _distinct(np.stack(found.right, axis=1))
            rows, pattern = np.unique(right, axis=0, return_inverse=True)
            digits = self._crossings[projection][0]
            crossings.append(Crossing(digits, pattern.reshape(-1).astype(np.int32), rows))
            columns[found.splits] = end + position
            end += right.shape[1]
        return Splits(
            columns,
            np.array([*threshold, *[0.5] * rest], np.float64),
            np.array([*missing_left, *[True] * rest], bool),
            tuple(memberships),
            tuple(crossings),
            self._unlisted,
        )

    def _check_borders(self) -> None:
        file = self._file
        lists = [one.borders for one in file.floats] + [one.borders for one in file.statistics]
        if not all(map(_ascending, lists)):
            raise Unreadable("is damaged: borders that do not ascend")
        count = sum(map(len, lists)) + sum(len(one.values) for one in file.one_hots)
        if count > MOST_SPLITS:
            raise Unsupported(f"has {count} splits; {MOST_SPLITS} are read")

    def _add(self, columns: _Columns, right: Array, number: int) -> None:
        columns.right.append(right)
        columns.splits.append(number)
        self._cells += len(right)
        if self._cells > MOST_CELLS:
            raise Unsupported("has splits of too many categories")

    def _categories(self, index: int) -> tuple[int, Array]:
        """Return the column of a feature of categories, and their numbers (categories,) int32."""
        if index not in self._places:
            raise Unreadable(f"is damaged: it uses no feature {index} of categories")
        place = self._places[index]
        return place, self._hashes[place]

    def _of_statistic(self, statistic: Statistic) -> tuple[_Columns, Array]:
        """Return where the columns of a statistic go, and its values.

        They are of the categories behind the unknown one, or of all combinations.
        """
        key = statistic.key
        if key not in self._file.tables:
            raise Unreadable("is damaged: a target statistic without its table")
        if not key.projection.categories:
            raise Unreadable("is damaged: a target statistic of no category")
        if len(key.projection.categories) > 1 or key.projection.floats or key.projection.one_hots:
            digits, hashes, valid = self._crossing(key.projection)
            places = tuple(digit.feature for digit in digits)
            columns = self._crossed.setdefault(key.projection, _Columns())
        else:
            place, numbers = self._categories(key.projection.categories[0])
            hashes = hash_with(np.zeros(1 + len(numbers), np.uint64), np.append(0, numbers))
            valid, places = np.arange(len(hashes)) > 0, (place,)
            columns = self._single.setdefault(place, _Columns())
        table = self._file.tables[key]
        self._count_unlisted(places, known_hashes(table), hashes[valid])
        return columns, statistic_values(statistic, table, hashes, valid)

    def _count_unlisted(self, places: tuple[int, ...], asked: Array, listed: Array) -> None:
        count = int(np.count_nonzero(~np.isin(asked, listed)))
        if count > self._unlisted.get(places, 0):
            self._unlisted[places] = count

    def _crossing(self, projection: Projection) -> tuple[tuple[Digit, ...], Array, Array]:
        """Return the digits of a projection, the hash of each combination, and if it is valid."""
        if projection not in self._crossings:
            self._crossings[projection] = self._combined(projection)
        return self._crossings[projection]

    def _combined(self, projection: Projection) -> tuple[tuple[Digit, ...], Array, Array]:
        digits = self._digits(projection)
        sizes = tuple(digit.size for digit in digits)
        total = int(np.prod([float(size) for size in sizes]))
        self._combinations += total
        if total > MOST_COMBINATIONS or self._combinations > 4 * MOST_COMBINATIONS:
            names = " x ".join(self._name(digit.feature) for digit in digits)
            raise Unsupported(
                f"combines {names}, which has {total} combinations; "
                f"{MOST_COMBINATIONS} are read: fit with max_ctr_complexity=1"
            )
        places = [digit.feature for digit in digits]
        at = dict(zip(places, np.unravel_index(np.arange(total), sizes), strict=True))
        hashes, valid = np.zeros(total, np.uint64), np.ones(total, bool)
        for index in projection.categories:
            place, numbers = self._categories(index)
            hashes = hash_with(hashes, np.append(0, numbers)[at[place]])
            valid &= at[place] > 0
        borders = {digit.feature: digit.borders for digit in digits if digit.borders is not None}
        for index, border in projection.floats:
            place = self._floats[index].column
            above = at[place] > np.searchsorted(borders[place], np.float32(border))
            hashes = hash_with(hashes, above)
        for index, value in projection.one_hots:
            if (index, value) not in self._asked:
                raise Unreadable("is damaged: a combination with a category that no split asks for")
            place, numbers = self._categories(index)
            hashes = hash_with(hashes, np.append(False, numbers == value)[at[place]])
        return digits, hashes, valid

    def _digits(self, projection: Projection) -> tuple[Digit, ...]:
        """List what a projection reads of each feature, by feature."""
        digits: dict[int, Digit] = {}
        for index in (*projection.categories, *(index for index, _ in projection.one_hots)):
            place, numbers = self._categories(index)
            digits[place] = Digit(place, 1 + len(numbers))
        borders: dict[int, set[float]] = {}
        for index, border in projection.floats:
            if index not in self._floats or border not in self._floats[index].borders:
                raise Unreadable("is damaged: a combination with a border of no feature")
            borders.setdefault(index, set()).add(border)
        for index, own in borders.items():
            feature = self._floats[index]
            ascending = np.array(sorted(own), np.float32)
            missing = len(own) if feature.missing_right else 0
            digits[feature.column] = Digit(feature.column, 1 + len(own), ascending, missing)
        return tuple(digits[place] for place in sorted(digits))

    def _name(self, place: int) -> str:
        return repr(self._file.names[place] or place)


def _ascending(borders: Array) -> bool:
    return bool((borders[1:] > borders[:-1]).all() and not np.isnan(borders).any())


def _distinct(right: Array) -> tuple[Array, Array]:
    """Return the distinct columns, and which of them each column is."""
    distinct, position = np.unique(right, axis=1, return_inverse=True)
    return distinct, position.reshape(-1)
