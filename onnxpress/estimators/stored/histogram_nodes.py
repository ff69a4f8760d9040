"""The trees of HistGradientBoosting.

Plain arrays of records, which compiled code follows without looking.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.estimators.stored.errors import Damaged
from onnxpress.estimators.stored.nodes import Made
from onnxpress.estimators.stored.trees import check_children

WORDS = 8
"""A set of categories is 256 bits."""
BOUND = "_raw_predict"
"""A method that an early stopped fit leaves in the estimator's own attributes, bound to it."""


def check_predictor(nodes: Any, sets: tuple[Any, Any]) -> None:
    """Raise Damaged unless the nodes are one tree.

    Each categorical node must have its row in both of the ``sets``.
    """
    from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE

    if (
        type(nodes) is not np.ndarray
        or nodes.dtype != PREDICTOR_RECORD_DTYPE
        or nodes.ndim != 1
        or not len(nodes)
    ):
        raise Damaged("a histogram tree's nodes should be records of scikit-learn's own layout")
    if max(nodes[name].max() for name in ("is_leaf", "is_categorical", "missing_go_to_left")) > 1:
        raise Damaged("a histogram tree has a flag that is neither 0 nor 1")
    inner = nodes[nodes["is_leaf"] == 0]
    check_children(inner["left"], inner["right"], np.flatnonzero(nodes["is_leaf"] == 0), len(nodes))
    if len(inner) and inner["feature_idx"].min() < 0:
        raise Damaged("a histogram tree asks about a feature before the first")
    rows = inner["bitset_idx"][inner["is_categorical"] == 1]
    for bits in sets:
        if (
            type(bits) is not np.ndarray
            or bits.dtype != np.uint32
            or bits.ndim != 2
            or bits.shape[1] != WORDS
        ):
            raise Damaged("a histogram tree's categories should be sets of 256 bits")
        if len(rows) and rows.max() >= len(bits):
            raise Damaged("a histogram tree asks for a set of categories that it does not have")


def features(nodes: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the features that inner nodes use, and those of them used as categories."""
    inner = nodes[nodes["is_leaf"] == 0]
    return np.unique(inner["feature_idx"]), np.unique(
        inner["feature_idx"][inner["is_categorical"] == 1]
    )


def bound_method(made: Made, build: Callable[[Any], Any]) -> None:
    """None, in place of the one bound method that a file may hold, since the class has it.

    Raises:
        Damaged: any other attribute of anything.
    """
    named = len(made.arguments) == 2 and made.arguments[1] == BOUND and made.how == "call"
    owner = type(build(made.arguments[0])) if named else object
    if (
        not owner.__module__.startswith("sklearn.ensemble._hist_gradient_boosting.")
        or made.states
        or made.keywords
    ):
        raise Damaged("builtins.getattr of anything else than HistGradientBoosting's own method")


RULES = {"builtins.getattr": bound_method}
