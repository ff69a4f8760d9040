"""Show skl2onnx's converter trees cut down to two nodes."""

from __future__ import annotations

import copy
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

_TWO_LEAVES = {
    "children_left": (-1, -1),
    "children_right": (-1, -1),
    "feature": (0, 0),
    "threshold": (0.0, 0.0),
}

EXPONENTIAL = "exponential"
"""The loss of gradient boosting that skl2onnx is shown as log_loss."""


def hollow(model: Any) -> Any:
    """Copy ``model`` without its nodes, shallowly.

    1. A tree keeps two nodes if it has them: skl2onnx asks whether there is more than one.
    2. Exponential loss becomes log_loss; only its leaves and base values differ.
    """
    result = copy.copy(model)
    if getattr(model, "loss", None) == EXPONENTIAL:
        result.loss = "log_loss"
    if hasattr(model, "_predictors"):
        none = SimpleNamespace(nodes=())
        result._predictors = [[none] * len(trees) for trees in model._predictors]
    elif not hasattr(model, "estimators_"):
        count = min(2, model.tree_.node_count)
        result.tree_ = SimpleNamespace(node_count=count, value=model.tree_.value, **_TWO_LEAVES)
    elif isinstance(model.estimators_, np.ndarray):
        stages = [[hollow(tree) for tree in stage] for stage in model.estimators_]
        result.estimators_ = np.array(stages, dtype=object)
    else:
        result.estimators_ = [hollow(tree) for tree in model.estimators_]
    return result


def convert_as(
    substitute: Any, original: Callable[..., None], scope: Any, operator: Any, container: Any
) -> None:
    """Run skl2onnx's converter on ``substitute`` in the place of the operator's estimator.

    The options are those of the estimator; skl2onnx keeps them by its id.
    """
    model, operator.raw_operator = operator.raw_operator, substitute
    stores = [store for store in (scope.options, container.options) if store and id(model) in store]
    try:
        for store in stores:
            store[id(substitute)] = store[id(model)]
        original(scope, operator, container)
    finally:
        operator.raw_operator = model
        for store in stores if substitute is not model else ():
            store.pop(id(substitute), None)
