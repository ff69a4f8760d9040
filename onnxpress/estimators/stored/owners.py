"""What the parts of one estimator must have in common, because compiled code relies on it.

Scikit-learn checks rows against ``n_features_in_`` and passes them, with its fitted arrays, to
compiled code that trusts their declared sizes. So where that happens, a loaded estimator must
have the sizes, types and indices that its class gives it. The rest of scikit-learn is Python and
numpy, which check for themselves.

A class is checked for each class that it derives from. One that is not fitted has nothing to check.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from onnxpress.estimators.stored.errors import Damaged
from onnxpress.estimators.stored.owner_checks import (
    boosting,
    by_name,
    encoders,
    kernel_machines,
    neighbors,
    small,
    trees,
)
from onnxpress.estimators.stored.values import OWN, is_plain

PLACE = "_kmeans_single"
"""The attribute that holds a function of :data:`values.OWN`."""
KEYWORDS = ("kw_args", "kwargs", "kernel_params", "metric_params", "metric_params_")
"""How the names of attributes end that scikit-learn passes on to a function as ``**keywords``."""
NUMERIC = ("numpy", "scipy")
CHECKS: dict[str, Callable[[Any], None]] = {}
for _module in (boosting, by_name, encoders, kernel_machines, neighbors, small, trees):
    CHECKS |= _module.CHECKS


def check(instance: Any) -> None:
    """Look at an instance when all of a file has been built.

    Raises:
        Damaged: its parts do not fit together; the message says which.
    """
    for name, item in vars(instance).items():
        _check_attribute(f"{type(instance).__name__}: {name}", item, own=name == PLACE)
    for kind in type(instance).__mro__:
        found = CHECKS.get(f"{kind.__module__}.{kind.__qualname__}")
        if found is None:
            continue
        try:
            found(instance)
        except Damaged as error:
            raise Damaged(f"{type(instance).__name__}: {error}") from error


def _check_attribute(name: str, item: Any, *, own: bool) -> None:
    """What no attribute is, of whatever class.

    A function out of its place, or an array that another call is to fill.

    The second argument of a numpy function may be what it fills, so none of them is a metric of
    two rows.
    """
    if (
        not own
        and getattr(item, "__module__", "") in OWN
        and callable(item)
        and not isinstance(item, type)
    ):
        raise Damaged(f"{name} should be no function of scikit-learn's own")
    if isinstance(item, dict) and isinstance(item.get("out"), np.ndarray | tuple):
        raise Damaged(
            f"{name} should give no function an array to write into, "
            f"which may be part of something else"
        )
    if name.endswith(KEYWORDS) and item is not None and type(item) not in (dict, Bunch):
        raise Damaged(
            f"{name} should be a dict, got {type(item).__name__}: "
            f"what else can be asked for keys hides them"
        )
    if name.endswith("kw_args") and item is not None and not all(map(is_plain, item.values())):
        raise Damaged(
            f"{name} should hold plain values: "
            f"numpy's sum of an empty array returns its `initial` argument itself"
        )
    if name.endswith((": metric", ": kernel")) and _is_numeric(item):
        raise Damaged(
            f"{name} should be no function of numpy, which may write into its second argument"
        )


def _is_numeric(item: Any) -> bool:
    """Whether it is a function of numpy or scipy, or one with keywords set."""
    function = item.func if isinstance(item, functools.partial) else item
    if isinstance(function, type) or not callable(function):
        return False
    return (
        isinstance(function, np.ufunc)
        or str(getattr(function, "__module__", "")).partition(".")[0] in NUMERIC
    )
