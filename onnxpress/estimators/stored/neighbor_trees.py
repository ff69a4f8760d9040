"""KDTree, BallTree and their metrics.

Built anew from the points, since compiled code trusts a stored tree's indices.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from onnxpress.estimators.stored.errors import Damaged
from onnxpress.estimators.stored.nodes import Global, Made
from onnxpress.estimators.stored.rules import Rule
from onnxpress.estimators.stored.trees import whole

METRICS_MODULE = "sklearn.metrics._dist_metrics"
PRECISIONS = {"64": np.float64, "32": np.float32}
_PLAIN = (
    "BrayCurtis Canberra Chebyshev Dice Euclidean Hamming Haversine Jaccard Kulsinski Manhattan "
    "Matching RogersTanimoto RussellRao SokalMichener SokalSneath"
)
PLAIN_METRICS = _PLAIN.split()
"""Metrics without parameters. The one that calls a function, PyFunc, is refused."""
MOST = 2**31 - 1


def _metric_paths(names: list[str]) -> list[str]:
    return [f"{METRICS_MODULE}.{name}Distance{bits}" for name in names for bits in PRECISIONS]


METRICS = _metric_paths([*PLAIN_METRICS, "Mahalanobis", "Minkowski", "SEuclidean"])
TREES = [
    f"sklearn.neighbors._{module}_tree.{name}{bits}"
    for module, name in (("ball", "BallTree"), ("kd", "KDTree"))
    for bits in ("", *PRECISIONS)
]
"""Without bits: the 64-bit trees under their public names."""
NAMED = (*METRICS, *TREES)
"""Classes that the functions below are given."""


def metric(made: Made, build: Callable[[Any], Any]) -> Any:
    """A distance metric, made by its constructor from the numbers in its state."""
    path = _class_of(made, METRICS)
    state = build(made.states[0])
    if type(state) is not tuple or len(state) != 3:
        raise Damaged("a distance metric should have three parameters")
    power, vector, matrix = state
    if type(power) is not float or not all(
        _numbers(array, np.float64, size) for array, size in ((vector, 1), (matrix, 2))
    ):
        raise Damaged("a distance metric's parameters should be a number, a vector and a matrix")
    kind = _class(path)
    name = path.rpartition(".")[2][:-2].removesuffix("Distance")
    try:
        if name == "Minkowski":
            return kind(power, w=vector if len(vector) else None)
        if name == "SEuclidean":
            return kind(vector)
        if name == "Mahalanobis":
            return kind(VI=np.ascontiguousarray(matrix))
        return kind()
    except ValueError as error:
        raise Damaged(f"a distance metric that scikit-learn refuses: {error}") from error


def tree(made: Made, build: Callable[[Any], Any]) -> Any:
    """Build a tree anew from the points, leaf size, metric and weights in its state."""
    path = _class_of(made, TREES)
    state = build(made.states[0])
    if type(state) is not tuple or len(state) != 13:
        raise Damaged("a tree of neighbours should have thirteen parts")
    points, leaf_size, distance, weights = state[0], state[4], state[11], state[12]
    kind = _class(path)
    number = PRECISIONS["32" if path.endswith("32") else "64"]
    if not _numbers(points, number, 2):
        raise Damaged("a tree of neighbours should have a matrix of points")
    if weights is not None and (not _numbers(weights, number, 1) or len(weights) != len(points)):
        raise Damaged("a tree of neighbours should have a weight for each point")
    if f"{type(distance).__module__}.{type(distance).__name__}" not in METRICS:
        raise Damaged("a tree of neighbours should have a distance metric")
    whole(leaf_size, "a leaf size", 1, MOST)
    counts = tuple(whole(count, "a tree's count", 0, MOST) for count in state[7:11])
    try:
        anew = kind(
            np.ascontiguousarray(points),
            leaf_size=leaf_size,
            metric=distance,
            sample_weight=weights,
        )
    except (TypeError, ValueError) as error:
        raise Damaged(f"a tree of neighbours that scikit-learn refuses: {error}") from error
    parts = anew.__getstate__()
    anew.__setstate__(
        (*parts[:7], *counts, *parts[11:])
    )  # how often it was asked is state that a second dump holds
    return anew


def _class_of(made: Made, paths: list[str]) -> str:
    """The class that ``newObj(class)`` or ``class.__new__(class)`` is to make."""
    given = (
        made.maker
        if made.how == "new" and not made.arguments
        else made.arguments[0]
        if len(made.arguments) == 1
        else None
    )
    if (
        not isinstance(given, Global)
        or given.path not in paths
        or made.keywords
        or len(made.states) != 1
    ):
        raise Damaged("a metric or tree of neighbours that is none of scikit-learn's")
    return given.path


def _class(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def _numbers(array: Any, number: type, dimensions: int) -> bool:
    return type(array) is np.ndarray and array.dtype == number and array.ndim == dimensions


RULES: dict[str, Rule] = {
    f"{METRICS_MODULE}.newObj": metric,
    "sklearn.neighbors._ball_tree.newObj": tree,
    "sklearn.neighbors._kd_tree.newObj": tree,
    **dict.fromkeys(METRICS, metric),
    **dict.fromkeys(TREES, tree),
}
