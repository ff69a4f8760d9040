"""scikit-learn's fitted trees as arrays, and those as the attributes of the ai.onnx.ml tree operators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

MISSING = "nodes_missing_value_tracks_true"


@dataclass(frozen=True)
class TreeArrays:
    """One tree, a row per node; the root is the first, ``x <= threshold`` goes left."""

    split: Array
    """(nodes,) bool; the other nodes are leaves."""
    feature: Array
    threshold: Array
    """(nodes,) float64."""
    left: Array
    right: Array
    missing_left: Array
    """(nodes,) bool: NaN goes left."""
    value: Array
    """(nodes, columns) float64, a column per output and class; leaves count."""
    first_id: int = 0
    """The class or target that the first column of ``value`` is for."""


def trees_of(model: Any) -> list[TreeArrays]:
    """The trees of a fitted scikit-learn tree, forest or boosting model, by iteration, then by class."""
    if hasattr(model, "_predictors"):
        return [
            _histogram_tree(tree, number)
            for trees in model._predictors
            for number, tree in enumerate(trees)
        ]
    if not hasattr(model, "estimators_"):
        return [_tree(model.tree_, _accepts_missing(model))]
    if isinstance(model.estimators_, np.ndarray):  # gradient boosting, which refuses missing values
        return [
            _tree(one.tree_, False, number)
            for stage in model.estimators_
            for number, one in enumerate(stage)
        ]
    return [_tree(one.tree_, _accepts_missing(one)) for one in model.estimators_]


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
    split = nodes["is_leaf"] == 0
    return TreeArrays(
        split=split,
        feature=nodes["feature_idx"],
        threshold=nodes["num_threshold"],
        left=nodes["left"],
        right=nodes["right"],
        missing_left=nodes["missing_go_to_left"] != 0,
        value=nodes["value"][:, None],
        first_id=first_id,
    )


def _accepts_missing(tree: Any) -> bool:
    """Whether ``predict`` takes NaN; a tree that refuses it has ``missing_go_to_left`` set all the same."""
    from sklearn.utils import get_tags

    return bool(get_tags(tree).input_tags.allow_nan)


def node_attributes(trees: Sequence[TreeArrays]) -> dict[str, Array]:
    """The ``nodes_*`` attributes of one operator that holds ``trees``: int, float32 and bytes, a row per node."""
    sizes = [len(tree.split) for tree in trees]
    split = np.concatenate([tree.split for tree in trees])

    def at_splits(field: str, dtype: Any) -> Array:
        values = np.concatenate(
            [getattr(tree, field) for tree in trees], dtype=dtype, casting="unsafe"
        )
        values[~split] = 0
        return values

    return {
        "nodes_treeids": np.repeat(np.arange(len(trees), dtype=np.int32), sizes),
        "nodes_nodeids": np.concatenate([np.arange(size, dtype=np.int32) for size in sizes]),
        "nodes_featureids": at_splits("feature", np.int32),
        "nodes_modes": np.where(split, b"BRANCH_LEQ", b"LEAF"),
        "nodes_values": float32_below(at_splits("threshold", np.float64)),
        "nodes_truenodeids": at_splits("left", np.int32),
        "nodes_falsenodeids": at_splits("right", np.int32),
        MISSING: at_splits("missing_left", np.uint8),
        "nodes_hitrates": np.ones(len(split), np.float32),
    }


def float32_below(values: Array) -> Array:
    """The largest float32 not above each float64, so that ``x <= value`` keeps its answer for every float32 ``x``."""
    with np.errstate(over="ignore"):
        nearest = values.astype(np.float32)
    return np.where(nearest > values, np.nextafter(nearest, np.float32(-np.inf)), nearest)


def ensemble_attributes(
    trees: Sequence[TreeArrays], kind: str, scale: float, *, normalise: bool
) -> dict[str, Array]:
    """All long attributes of one TreeEnsembleClassifier (``kind="class"``) or Regressor (``"target"``).

    A leaf's weights are its values, divided by their sum where ``normalise``, times ``scale``; of two class columns only
    the second is written. In float64 and in skl2onnx's order of operations up to the last rounding, so that bits agree.
    """
    nodes = node_attributes(trees)
    leaf = ~np.concatenate([tree.split for tree in trees])
    values = np.concatenate([tree.value[~tree.split] for tree in trees])
    if normalise:
        total = reduce(np.add, values.T)
        values = values * (scale / np.where(total != 0, total, 1.0))[:, None]
    else:
        values = values * scale
    if kind == "class" and values.shape[1] == 2:
        values = values[:, 1:]
    first = np.repeat(
        np.array([tree.first_id for tree in trees], np.int32),
        [np.count_nonzero(~tree.split) for tree in trees],
    )
    ids = first[:, None] + np.arange(values.shape[1], dtype=np.int32)
    return nodes | _leaves(kind, nodes, leaf, ids, values)


def leaf_number_attributes(trees: Sequence[TreeArrays]) -> dict[str, Array]:
    """All long attributes of a TreeEnsembleClassifier whose label is the number of the leaf."""
    nodes = node_attributes(trees)
    leaf = ~np.concatenate([tree.split for tree in trees])
    numbers = nodes["nodes_nodeids"][leaf][:, None]
    return (
        nodes
        | {"classlabels_int64s": nodes["nodes_nodeids"]}
        | _leaves("class", nodes, leaf, numbers, np.ones(numbers.shape))
    )


def _leaves(
    kind: str, nodes: dict[str, Array], leaf: Array, ids: Array, weights: Array
) -> dict[str, Array]:
    """The ``class_*`` or ``target_*`` attributes from (leaves, columns) ids and weights."""
    columns = weights.shape[1]
    return {
        f"{kind}_treeids": np.repeat(nodes["nodes_treeids"][leaf], columns),
        f"{kind}_nodeids": np.repeat(nodes["nodes_nodeids"][leaf], columns),
        f"{kind}_ids": ids.ravel(),
        f"{kind}_weights": weights.ravel().astype(np.float32),
    }
