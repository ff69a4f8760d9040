"""Fitted objects of the boosters' own classes, as the estimators that convert."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from onnxpress.estimators.booster_estimator import BoosterClassifier, BoosterRegressor


def _xgboost_bytes(estimator: Any) -> bytes:
    """Return the rounds that the object predicts with: after early stopping those to the best."""
    booster = estimator.get_booster()
    best = booster.attr("best_iteration")
    counted = booster if best is None else booster[: int(best) + 1]
    return bytes(counted.save_raw("ubj"))


BYTES: dict[str, tuple[str, Callable[[Any], bytes]]] = {
    f"lightgbm.sklearn.{name}": (
        "lightgbm",
        lambda estimator: str(estimator.booster_.model_to_string()).encode(),
    )
    for name in ("LGBMClassifier", "LGBMRegressor")
} | {
    f"xgboost.sklearn.{name}": ("xgboost", _xgboost_bytes)
    for name in ("XGBClassifier", "XGBRegressor")
}
"""Library and native bytes of a fitted object, by the path of its class."""

_MADE: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
"""One estimator for each object, for converters know them by identity."""


def as_booster(estimator: Any) -> Any:
    """Return the estimator of an object's native bytes, or the object itself if it has none."""
    kind = type(estimator)
    found = BYTES.get(f"{kind.__module__}.{kind.__qualname__}")
    if found is None or not np.isnan(getattr(estimator, "missing", np.nan)):
        return estimator  # XGBoost's class may take a number for a missing value
    if estimator not in _MADE:
        library, data = found[0], found[1](estimator)
        columns = tuple(map(str, range(estimator.n_features_in_)))
        if hasattr(estimator, "classes_"):
            classes = tuple(np.asarray(estimator.classes_).tolist())
            _MADE[estimator] = BoosterClassifier(library, data, columns, classes)
        else:
            _MADE[estimator] = BoosterRegressor(library, data, columns)
    return _MADE[estimator]
