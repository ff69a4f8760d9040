"""Neighbours: stored points must be as wide as the rows, and their classes must exist."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxpress.estimators.stored.errors import Damaged
from onnxpress.estimators.stored.neighbor_trees import TREES
from onnxpress.estimators.stored.owner_checks.attributes import (
    MOST,
    array,
    get,
    has,
    instance_of,
    is_array,
    number,
    within,
)

PARAMETERS = {"V", "VI", "copy", "missing_values", "p", "w"}
"""What metrics take."""


def neighbors(instance: Any) -> None:
    """Every estimator that is asked for neighbours.

    Points, their number, their tree, the metric and its arrays.
    """
    if not has(instance, "_fit_X"):
        return
    points = get(instance, "_fit_X")
    n_features = number(instance, "n_features_in_", 1)
    count = _points(points, n_features)
    number(instance, "n_samples_fit_", count, count)
    tree = vars(instance).get("_tree")
    if tree is not None:
        instance_of(tree, "_tree", *_built(TREES))
        if tree.data.shape != (count, n_features):
            raise Damaged("_tree should be of the same points as _fit_X")
    _metric(instance, "metric", "metric_params", n_features)
    _metric(instance, "effective_metric_", "effective_metric_params_", n_features)
    if vars(instance).get("n_neighbors") is not None and has(instance, "_y"):
        number(instance, "n_neighbors", 1, count)
    if has(instance, "_y"):
        _targets(instance, count)


def _points(points: Any, n_features: int) -> int:
    from scipy import sparse

    if sparse.issparse(points):
        if points.format != "csr" or points.data.dtype.kind != "f" or points.shape[1] != n_features:
            raise Damaged("_fit_X should be rows of as many columns as it takes")
        return int(points.shape[0])
    kinds = (
        points.dtype.str if isinstance(points, np.ndarray) and points.dtype.kind in "biuf" else "f8"
    )
    return len(is_array(points, "_fit_X", kinds, None, n_features))


def _built(paths: list[str]) -> list[str]:
    return [path for path in paths if path[-2:].isdigit()] + [
        path for path in paths if not path[-2:].isdigit()
    ]


def _metric(instance: Any, name: str, parameters: str, n_features: int) -> None:
    """Check a metric by name and its parameters.

    Vectors have a number for each column, matrices one for each pair of columns.
    """
    if not has(instance, name):
        return
    metric = get(instance, name)
    if not isinstance(metric, str) or metric == "pyfunc":
        raise Damaged(f"{name} should be a metric by name")
    found = vars(instance).get(parameters)
    if found is None:
        return
    if type(found) is not dict:
        raise Damaged(f"{parameters} should be parameters by name")
    if (
        not set(found) <= PARAMETERS
    ):  # among others are norms of rows, which are believed to be as many as the rows
        raise Damaged(f"{parameters} should be of {sorted(PARAMETERS)}")
    for key, item in found.items():
        shape: dict[str, tuple[int, ...]] = {
            "V": (n_features,),
            "VI": (n_features, n_features),
            "w": (n_features,),
        }
        if metric == "mahalanobis":
            shape["V"] = (n_features, n_features)
        if key in shape and item is not None and np.asarray(item).shape != shape[key]:
            raise Damaged(f"{parameters} should have {key} of the shape {shape[key]}")
        if callable(item):
            raise Damaged(f"{parameters} should be numbers")


def _targets(instance: Any, count: int) -> None:
    """``_y`` has a row for each point; those of a classifier are places in its classes."""
    targets = get(instance, "_y")
    if not isinstance(targets, np.ndarray) or targets.ndim not in (1, 2) or len(targets) != count:
        raise Damaged("_y should have a value for each point")
    if not has(instance, "classes_"):
        return
    classes = get(instance, "classes_")
    if targets.dtype.kind not in "iu":
        raise Damaged("_y should be places in classes_")
    several = type(classes) is list
    for column, labels in (
        zip(targets.T, classes, strict=False) if several else [(targets, classes)]
    ):
        if not isinstance(labels, np.ndarray) or labels.ndim != 1:
            raise Damaged("classes_ should be an array of labels")
        within(column, "_y", len(labels))
    if several != bool(get(instance, "outputs_2d_")) or (
        several and targets.shape != (count, len(classes))
    ):
        raise Damaged("_y should have a column for each of classes_")


def density(instance: Any) -> None:
    """``KernelDensity`` asks its tree about rows of as many columns as the tree has."""
    if has(instance, "tree_"):
        tree = instance_of(get(instance, "tree_"), "tree_", *_built(TREES))
        number(instance, "n_features_in_", tree.data.shape[1], tree.data.shape[1])


def centers(instance: Any) -> None:
    """k-means: rows are held against centres of the same width."""
    if has(instance, "_n_threads"):
        number(instance, "_n_threads", 1, 1024)
    if not has(instance, "cluster_centers_"):
        return
    n_features = number(instance, "n_features_in_", 1)
    kept = array(instance, "cluster_centers_", "f4 f8", None, n_features)
    number(instance, "_n_threads", 1, 1024)
    tree = vars(instance).get("_bisecting_tree")
    if tree is not None:
        array(instance, "_X_mean", kept.dtype.str, n_features) if has(instance, "_X_mean") else None
        _bisections(tree, n_features, kept.dtype.str)


def _bisections(root: Any, n_features: int, kind: str) -> None:
    left, seen = [root], set[int]()
    while left:
        node = left.pop()
        instance_of(node, "_bisecting_tree", "sklearn.cluster._bisect_k_means._BisectingTree")
        if id(node) in seen:
            raise Damaged("_bisecting_tree should be a tree")
        seen.add(id(node))
        array(node, "center", kind, n_features)
        children = [vars(node).get(name) for name in ("left", "right")]
        if (children[0] is None) != (children[1] is None):
            raise Damaged("_bisecting_tree should be a tree")
        left.extend(child for child in children if child is not None)


CHECKS = {
    "sklearn.neighbors._base.NeighborsBase": neighbors,
    "sklearn.neighbors._kde.KernelDensity": density,
    "sklearn.cluster._kmeans._BaseKMeans": centers,
}
__all__ = ["CHECKS", "MOST"]
