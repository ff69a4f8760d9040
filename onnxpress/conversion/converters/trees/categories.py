"""Native categories of histogram gradient boosting, as columns of 0 and 1 beside the features.

skl2onnx 1.20 compares categories with a threshold that means nothing, without a word.

A category split sends some categories of a feature left and the others right. Each distinct split
becomes a column that is 1 where the row goes right, and the tree splits on that column at 0.5. Of a
feature with the categories 10, 20 and 30, two splits:

    left of split a: 10, 30     right = [[0, 1],   a row for 10
    left of split b: 20                  [1, 0],   a row for 20
                                         [0, 1]]   a row for 30

    a row with 20 has the columns [1, 0]: it goes right at a and left at b
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from onnxpress.graph.trees.arrays import Array, Membership, TreeArrays

WORDS = 8
"""Of 32 bits, in scikit-learn's bit set of 256 categories."""


def without_categories(
    model: Any, trees: Sequence[TreeArrays]
) -> tuple[list[TreeArrays], list[Membership]]:
    """Return the same trees on raw rows followed by the columns of the memberships.

    scikit-learn moves categorical features to the front and numbers their categories before its
    trees see a row; ``order`` leads back. Of three features the last of which has categories:

        is_categorical  [False, False, True]
        order           [2, 0, 1]: the trees' feature 0 is column 2 of the rows

    Raises:
        NotImplementedError: the categories are not numbers.
    """
    if model.is_categorical_ is None:
        return list(trees), []
    predictors = [predictor for iteration in model._predictors for predictor in iteration]
    order = np.argsort(~model.is_categorical_, kind="stable")
    splits = [np.flatnonzero(predictor.nodes["is_categorical"]) for predictor in predictors]
    pairs = zip(predictors, splits, strict=True)
    tests = np.concatenate([_tests(predictor, at) for predictor, at in pairs])
    distinct, column = np.unique(tests, axis=0, return_inverse=True)
    ends = np.cumsum([len(at) for at in splits])[:-1]
    columns = np.split(len(order) + column.reshape(-1), ends)
    result = []
    for tree, at, new in zip(trees, splits, columns, strict=True):
        result.append(_on_columns(tree, at, new, order))
    known = model._preprocessor.named_transformers_["encoder"].categories_
    memberships = []
    for number in np.unique(distinct[:, 0]):
        own = distinct[distinct[:, 0] == number]
        memberships.append(_membership(int(order[number]), known[number], own))
    return result, memberships


def _on_columns(tree: TreeArrays, at: Array, columns: Array, order: Array) -> TreeArrays:
    """Let the nodes ``at`` split on ``columns`` at 0.5, and the others on the rows' own columns."""
    feature, threshold = order[tree.feature], tree.threshold.copy()
    missing_left = tree.missing_left.copy()
    feature[at], threshold[at], missing_left[at] = columns, 0.5, False
    return replace(tree, feature=feature, threshold=threshold, missing_left=missing_left)


def _tests(predictor: Any, at: Array) -> Array:
    """Describe the category splits at nodes ``at``, (splits, 10) uint32.

    The columns are the feature, whether missing values go left, and the 8 words of the bit set of
    the categories that go left. Categories 0 and 2 of feature 5 go left, missing values right:

        [5, 0, 0b101, 0, 0, 0, 0, 0, 0, 0]
    """
    nodes = predictor.nodes[at]
    left = predictor.raw_left_cat_bitsets[nodes["bitset_idx"]].reshape(len(at), WORDS)
    tests = np.column_stack([nodes["feature_idx"], nodes["missing_go_to_left"], left])
    return tests.astype(np.uint32)


def _membership(feature: int, known: Array, tests: Array) -> Membership:
    """Make the columns of one feature's splits; bit ``i`` of a word is category ``i``.

    word 0b101 of three categories: left = [1, 0, 1], right = [0, 1, 0]
    """
    if known.dtype.kind not in "fiub":
        raise NotImplementedError(
            f"native categories of type {known.dtype}; encode them in a pipeline instead"
        )
    categories = known[known == known]  # noqa: PLR0124 - NaN, the last if present, is missing
    bits = (tests[:, 2:, None] >> np.arange(32, dtype=np.uint32)) & 1
    left = bits.reshape(len(tests), -1)[:, : len(categories)]
    unknown_right = tests[:, 1] == 0
    right = np.concatenate([unknown_right[None], left.T == 0])
    return Membership(feature, categories.astype(np.float32), right)
