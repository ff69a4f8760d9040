"""What scikit-learn looks up by a name that the estimator holds.

Attributes and methods of its parts.

A file that chose them freely would call any method of anything with what it likes, and numpy
takes an attribute ``__array_interface__`` for an address in memory.
"""

from __future__ import annotations

from typing import Any

from onnxpress.estimators.stored.errors import Damaged
from onnxpress.estimators.stored.owner_checks.attributes import has

METHODS = {"decision_function", "predict", "predict_log_proba", "predict_proba"}
LISTS = ("estimators", "steps", "transformer_list", "transformers", "transformers_")


def composition(instance: Any) -> None:
    """The names of parts become attributes of a Bunch."""
    for attribute in LISTS:
        parts = vars(instance).get(attribute, [])
        if type(parts) not in (list, tuple) or not all(
            type(part) in (list, tuple) and part for part in parts
        ):
            raise Damaged(f"{attribute} should be a list of names and estimators")
        for name, *_ in parts:
            if not isinstance(name, str) or "__" in name:
                raise Damaged(f"{attribute} should have names without __, got {str(name)[:60]!r}")


def importances(instance: Any) -> None:
    """``importance_getter`` is a path of attributes."""
    path = vars(instance).get("importance_getter", "auto")
    if isinstance(path, str) and any(part.startswith("_") for part in path.split(".")):
        raise Damaged(f"importance_getter should be a path of public attributes, got {path[:60]!r}")


def methods(instance: Any) -> None:
    """Members are asked by methods of answers, one each."""
    for attribute in ("stack_method_", "chain_method_"):
        if has(instance, attribute):
            found = vars(instance)[attribute]
            names = found if type(found) in (list, tuple) else [found]
            if not all(isinstance(name, str) and name in METHODS for name in names):
                raise Damaged(f"{attribute} should be of {sorted(METHODS)}")


CHECKS = {
    "sklearn.utils.metaestimators._BaseComposition": composition,
    "sklearn.feature_selection._from_model.SelectFromModel": importances,
    "sklearn.feature_selection._rfe.RFE": importances,
    "sklearn.ensemble._stacking._BaseStacking": methods,
    "sklearn.multioutput._BaseChain": methods,
}
