"""Native categories of XGBoost: what the file lists, and splits as columns behind the features.

A category of the set goes right. All else goes left: other categories, negative numbers, numbers
from 2**24 on. A missing value goes where the node says. XGBoost 3.1 and newer store the categories
that the table had; a file without them, or of a matrix, has codes only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.boosters.model import Unsupported
from onnxpress.boosters.xgboost_document import Part
from onnxpress.boosters.xgboost_trees import RawTree
from onnxpress.graph.trees.arrays import Membership, TreeArrays

Array = NDArray[Any]

ESCAPES = {"onnxpress_categories": "unicode_escape"}
"""An attribute of models that we have fitted: texts of categories are stored in ASCII, escaped."""
LARGEST_TABLE = 2**28
"""Cells of the table of one feature: its sets times their categories."""
_FIRST_WHOLE = 9
_WHOLE_TYPES = range(_FIRST_WHOLE, 17)
"""Of ``type`` beside numeric categories: 8 to 64 bits, signed and not."""


def escaped(frame: Any) -> Any:
    """Return a frame with the texts of its categories in ASCII, for a model with ``ESCAPES``.

    A column without any gets an empty one, for XGBoost fails without.
    """
    coded = frame.copy()
    for name in frame.columns:
        if hasattr(frame[name], "cat"):
            texts = frame[name].cat.categories
            names = [text.encode("unicode_escape").decode("ascii") for text in texts]
            renamed = frame[name].cat.rename_categories(names)
            coded[name] = renamed if names else renamed.cat.add_categories([""])
    return coded


def encoding_of(learner: Part) -> str:
    """Return how bytes become the texts of categories.

    XGBoost before 3.4 counts letters where it stores bytes (dmlc/xgboost 12371), so that other
    letters than those of ASCII come out cut off.
    """
    attributes = learner.values.get("attributes")
    if isinstance(attributes, dict) and ESCAPES.items() <= attributes.items():
        return "unicode_escape"
    return "ascii"


def categories_of(booster: Part, encoding: str) -> list[tuple[Any, ...] | None]:
    """Return the categories of each feature, texts or whole numbers; [] where the file has none.

    Raises:
        Unsupported: texts that the version has stored wrong, or another type.
    """
    if "cats" not in booster:
        return []
    cats = booster.part("cats")
    found = [
        _texts(one, encoding) if "offsets" in one else _numbers(one) for one in cats.parts("enc")
    ]
    ends = np.cumsum([0] + [len(one or ()) for one in found]) if found else np.empty(0)
    if not np.array_equal(cats.numbers("feature_segments", np.int64), ends):
        raise cats.error("feature_segments", "the number of categories up to each feature")
    order = cats.numbers("sorted_idx", np.int64, int(ends[-1]) if found else 0)
    for begin, end in pairwise(ends):
        if not np.array_equal(np.sort(order[begin:end]), np.arange(end - begin)):
            raise cats.error("sorted_idx", "an order of the categories of each feature")
    return found


def _texts(one: Part, encoding: str) -> tuple[str, ...] | None:
    """Read texts one behind the other in bytes; a feature without categories has none."""
    offsets = one.numbers("offsets", np.int64)
    raw = one.numbers("values", np.int8).tobytes()
    if len(offsets) == 0:
        return None
    if offsets[0] != 0 or offsets[-1] != len(raw) or bool((np.diff(offsets) < 0).any()):
        raise one.error("offsets", f"numbers that grow from 0 to {len(raw)}")
    if not raw.isascii():
        raise Unsupported(
            "has categories with letters beyond ASCII, which XGBoost before 3.4 stores cut off; "
            "train it on whole numbers as categories, or by `estimator`"
        )
    try:
        return tuple(raw[begin:end].decode(encoding) for begin, end in pairwise(offsets))
    except UnicodeDecodeError as error:
        raise one.error("values", f"texts in {encoding}") from error


def _numbers(one: Part) -> tuple[int, ...]:
    kind = one.values.get("type")
    if kind not in _WHOLE_TYPES:
        raise Unsupported(f"has categories of type {kind!r}; they can be texts or whole numbers")
    return tuple(int(value) for value in one.numbers("values", np.int64))


def with_columns(
    trees: Sequence[RawTree], features: int
) -> tuple[list[TreeArrays], list[Membership]]:
    """Return the trees on features followed by the columns of the memberships.

    Each distinct set of a feature is one column: 1 for the categories of the set, 0 for all
    others, missing where the value is missing.
    """
    sets: dict[int, dict[bytes, int]] = {}
    for tree in trees:
        for row, codes in tree.category_splits.items():
            own = sets.setdefault(int(tree.arrays.feature[row]), {})
            own.setdefault(codes.tobytes(), len(own))
    first, memberships = {}, []
    columns = features
    for feature in sorted(sets):
        first[feature] = columns
        columns += len(sets[feature])
        distinct = [np.frombuffer(one, np.int64) for one in sets[feature]]
        memberships.append(_membership(feature, distinct))
    return [_on_columns(tree, first, sets) for tree in trees], memberships


def _membership(feature: int, sets: list[Array]) -> Membership:
    """Make the table of one feature's sets.

    Of the sets {0, 3} and {3}: categories = [0, 3], right = [[0, 0],   others
                                                              [1, 0],   0
                                                              [1, 1]]   3
    """
    categories, place = np.unique(np.concatenate(sets), return_inverse=True)
    if len(categories) * len(sets) > LARGEST_TABLE:
        raise Unsupported(f"has {len(sets)} sets of {len(categories)} categories of one feature")
    right = np.zeros((1 + len(categories), len(sets)), bool)
    right[1 + place, np.repeat(np.arange(len(sets)), [len(one) for one in sets])] = True
    return Membership(feature, categories.astype(np.float32), right)


def _on_columns(
    tree: RawTree, first: dict[int, int], sets: dict[int, dict[bytes, int]]
) -> TreeArrays:
    """Let category splits read their columns, at 0.5; where missing values go stays the same."""
    if not tree.category_splits:
        return tree.arrays
    feature, threshold = tree.arrays.feature.copy(), tree.arrays.threshold.copy()
    for row, codes in tree.category_splits.items():
        own = int(feature[row])
        feature[row] = first[own] + sets[own][codes.tobytes()]
        threshold[row] = 0.5
    return replace(tree.arrays, feature=feature, threshold=threshold)
