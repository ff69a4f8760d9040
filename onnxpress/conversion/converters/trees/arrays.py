"""Read scikit-learn's fitted trees as arrays, one row for each node."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxpress.graph.trees.arrays import TreeArrays


def trees_of(model: Any) -> list[TreeArrays]:
    """Read the trees of a fitted tree, forest or boosting model, by iteration, then by class."""
    if hasattr(model, "_predictors"):
        return _boosted(model._predictors, _histogram_tree)
    if not hasattr(model, "estimators_"):
        return [_tree(model.tree_, _accepts_missing(model))]
    if isinstance(model.estimators_, np.ndarray):  # gradient boosting refuses missing values
        return _boosted(model.estimators_, lambda one, number: _tree(one.tree_, False, number))
    return [_tree(one.tree_, _accepts_missing(one)) for one in model.estimators_]


def _boosted(iterations: Any, read: Any) -> list[TreeArrays]:
    """Read the trees of each iteration, which are one for each class."""
    trees = []
    for iteration in iterations:
        trees += [read(one, number) for number, one in enumerate(iteration)]
    return trees


def _tree(tree: Any, accepts_missing: bool, first_id: int = 0) -> TreeArrays:
    split = tree.children_left >= 0
    return TreeArrays(
        split=split,
        feature=tree.feature,
        threshold=tree.threshold,
        left=tree.children_left,
        right=tree.children_right,
        missing_left=(tree.missing_go_to_left != 0) & accepts_missing,
        value=tree.value.reshape(len(split), -1),
        first_id=first_id,
    )


def _histogram_tree(predictor: Any, first_id: int) -> TreeArrays:
    nodes = predictor.nodes
    return TreeArrays(
        split=nodes["is_leaf"] == 0,
        feature=nodes["feature_idx"],
        threshold=nodes["num_threshold"],
        left=nodes["left"],
        right=nodes["right"],
        missing_left=nodes["missing_go_to_left"] != 0,
        value=nodes["value"][:, None],
        first_id=first_id,
    )


def _accepts_missing(tree: Any) -> bool:
    """Whether ``predict`` takes NaN; a tree that refuses it has ``missing_go_to_left`` set, too."""
    from sklearn.utils import get_tags

    return bool(get_tags(tree).input_tags.allow_nan)
