"""Category splits of LightGBM: bit sets of the whole numbers that go left."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np

from onnxpress.boosters.lightgbm_header import Header
from onnxpress.boosters.model import LARGEST_CODE, Feature, Unreadable, Unsupported
from onnxpress.graph.trees.arrays import Array, Membership, TreeArrays

PANDAS = "pandas_categorical:"
BITS = 32
MOST_CELLS = 2**28
"""Of the tables of all memberships."""


def pandas_features(header: Header, tail: str) -> tuple[Feature, ...]:
    """Return the features, with the categories of pandas columns that the file ends with.

    The file lists categories in the order of these columns, and the columns among its parameters.

    Raises:
        Unreadable: the lists are none.
        Unsupported: there are more or fewer lists than columns.
    """
    line = next((one for one in tail.split("\n") if one.startswith(PANDAS)), f"{PANDAS}null")
    lists = json.loads(line.removeprefix(PANDAS)) or []
    features = [Feature(name) for name in header.names]
    if not isinstance(lists, list) or not all(isinstance(one, list) for one in lists):
        raise Unreadable("is damaged: expected lists of categories in `pandas_categorical`")
    if not lists:
        return tuple(features)
    listed = re.search(r"^\[categorical_feature: ([0-9,]*)\]$", tail, re.MULTILINE)
    places = sorted({int(one) for one in listed.group(1).split(",") if one}) if listed else []
    if len(places) != len(lists) or places[-1] >= len(features):
        raise Unsupported(
            f"has categories of {len(lists)} pandas columns and names {len(places)} "
            "(`categorical_feature`): which columns they are of is not known; "
            "fit with unordered categories, and leave categorical_feature alone"
        )
    for place, categories in zip(places, lists, strict=True):
        if not all(isinstance(one, (str, int, float)) for one in categories):
            raise Unreadable("is damaged: expected texts and numbers in `pandas_categorical`")
        features[place] = Feature(header.names[place], tuple(categories))
    return tuple(features)


class CategorySplits:
    """The distinct category splits of all trees.

    Until all are known a split has ``mark`` added to its feature, and its number as its threshold.
    """

    def __init__(self, features: int) -> None:
        """Start with none."""
        self.mark = features
        self._numbers: dict[tuple[int, bytes], int] = {}

    def add(self, feature: Array, index: Array, boundaries: Array | None, words: Array) -> Array:
        """Return the numbers of one tree's category splits (splits,).

        Split i sends the categories left whose bits are set in its words, those of ``index[i]``:
        from ``boundaries[index[i]]`` to the next boundary.

        Raises:
            Unreadable: there are no such words.
        """
        if len(index) == 0:
            return index
        at = index.astype(np.int64)
        if (
            boundaries is None
            or bool((at != index).any() or (at < 0).any() or (at >= len(boundaries) - 1).any())
            or boundaries[0] != 0
            or bool((np.diff(boundaries) < 0).any() or (words < 0).any() or (words >> BITS).any())
        ):
            raise Unreadable("is damaged: a category split without its set of categories")
        numbers = []
        for one, start, end in zip(feature, boundaries[at], boundaries[at + 1], strict=True):
            key = int(one), words[start:end].astype("<u4").tobytes().rstrip(b"\0")
            numbers.append(self._numbers.setdefault(key, len(self._numbers)))
        return np.array(numbers, np.float64)

    def memberships(self) -> tuple[tuple[Membership, ...], Array]:
        """Return the memberships, by feature, and the column of each split (splits,).

        Splits 0 of feature 5, 1 of feature 2 and 2 of feature 5 become columns 1, 0 and 2 behind
        the features.

        Raises:
            Unsupported: there are too many categories, or too large ones.
        """
        by_feature: dict[int, list[tuple[int, Array]]] = {}
        for (feature, packed), number in self._numbers.items():
            bits = np.unpackbits(np.frombuffer(packed, np.uint8), bitorder="little")
            by_feature.setdefault(feature, []).append((number, np.flatnonzero(bits)))
        columns, made = np.zeros(len(self._numbers), np.int64), []
        cells, first = 0, self.mark
        for feature in sorted(by_feature):
            sets = by_feature[feature]
            known = np.unique(np.concatenate([left for _, left in sets]))
            cells += (1 + len(known)) * len(sets)
            if cells > MOST_CELLS or (len(known) and known[-1] > LARGEST_CODE):
                raise Unsupported("has category splits of too many or too large categories")
            right = np.ones((1 + len(known), len(sets)), bool)
            for column, (number, left) in enumerate(sets):
                right[1 + np.searchsorted(known, left), column] = False
                columns[number] = first + column
            first += len(sets)
            made.append(Membership(feature, known.astype(np.float32), right))
        return tuple(made), columns

    def on_columns(self, tree: TreeArrays, columns: Array) -> TreeArrays:
        """Return ``tree`` with its category splits on their columns, at 0.5."""
        at = np.flatnonzero(tree.split & (tree.feature >= self.mark))
        if len(at) == 0:
            return tree
        feature, threshold = tree.feature.copy(), tree.threshold.copy()
        feature[at], threshold[at] = columns[threshold[at].astype(np.int64)], 0.5
        return replace(tree, feature=feature, threshold=threshold)
