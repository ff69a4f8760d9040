"""Check that the parts of an estimator are only in the attributes where they belong.

Scikit-learn asks steps and members of ensembles by the names of methods, whatever they are. A
bare tree has ``predict`` as well, and reads as many columns as its nodes say; a Bunch or an
attribute with a function in it has whatever name it likes.
"""

from __future__ import annotations

import functools
import inspect
from typing import Any

import numpy as np

from onnxpress.estimators.stored.errors import Damaged

COMPILED: dict[str, str] = {
    "scipy.interpolate._bsplines": "bsplines_",
    "sklearn._loss._loss": "closs _loss_function_",
    "sklearn._loss.loss": "_loss _base_loss",
    "sklearn.ensemble._hist_gradient_boosting.binning": "_bin_mapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor": "_predictors",
    "sklearn.linear_model._sgd_fast": "_loss_function_",
    "sklearn.metrics._dist_metrics": "",
    "sklearn.neighbors._ball_tree": "tree_ _tree",
    "sklearn.neighbors._kd_tree": "tree_ _tree",
    "sklearn.tree._tree": "tree_",
}
"""The attributes in which parts of these modules stand, alone or in lists.

What they are asked there is checked.
"""

CALLABLE = frozenset(
    {
        *("kernel_", "_loss", "_base_loss", "f_", "_kmeans_single", "_raw_predict"),
        *("scorer_", "_scorer", "_curve_scorer", "_score_func"),
    }
)
"""Attributes besides parameters that hold what can be called."""


class Places:
    """A look at every attribute of a file's instances."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self.known: dict[int, frozenset[str] | None] = {}
        """By the identity of a container; None while it is looked at."""

    def check(self, instance: Any) -> None:
        """See that each part of an instance of scikit-learn stands where it belongs.

        Raises:
            Damaged: a compiled part or a function is somewhere else.
        """
        kind = type(instance)
        for name, item in vars(instance).items():
            if callable(item) and name not in CALLABLE and name not in parameters(kind):  # type: ignore[arg-type] # a class is hashable
                raise Damaged(f"{kind.__name__}: {name} must not be callable")
            for module in self.modules(item):
                if name not in COMPILED[module].split():
                    raise Damaged(f"{kind.__name__}: {name} should hold no part of {module}")

    def modules(self, item: Any) -> frozenset[str]:
        """Return the modules of :data:`COMPILED` that something in a value comes from.

        Lists and dicts are searched too, instances are not.

        Raises:
            Damaged: a container lies in itself.
        """
        inside = _inside(item)
        if inside is None:
            module = type(item).__module__
            return frozenset((module,)) if module in COMPILED else frozenset()
        if id(item) not in self.known:
            self.known[id(item)] = None
            self.known[id(item)] = frozenset().union(*map(self.modules, inside))
        found = self.known[id(item)]
        if found is None:
            raise Damaged("a part that contains itself")
        return found


def _inside(item: Any) -> list[Any] | None:
    """What lies directly in a container; None of anything else."""
    if isinstance(item, dict):
        return [*item.keys(), *item.values()]
    if isinstance(item, (list, tuple, set, frozenset)) or type(item).__name__ == "deque":
        return list(item)
    if isinstance(item, np.ndarray) and item.dtype == object:
        return list(item.flat)
    return None


@functools.lru_cache(maxsize=1000)
def parameters(kind: type[Any]) -> frozenset[str]:
    """The names of a class's parameters, which it does not ask by name."""
    return frozenset(inspect.signature(kind).parameters)
