"""Fitted objects of the boosters' own classes, as the estimators that convert."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from copy import copy
from typing import Any

import numpy as np

from onnxpress.boosters.catboost_cbm import category_columns
from onnxpress.boosters.catboost_training import file_of
from onnxpress.boosters.readers import read_booster
from onnxpress.errors import UserError
from onnxpress.estimators.booster_estimator import (
    BoosterClassifier,
    BoosterRanker,
    BoosterRegressor,
)


def _xgboost_bytes(estimator: Any) -> bytes:
    """Return the rounds that the object predicts with: after early stopping those to the best."""
    booster = estimator.get_booster()
    best = booster.attr("best_iteration")
    counted = booster if best is None else booster[: int(best) + 1]
    return bytes(counted.save_raw("ubj"))


def _catboost_bytes(estimator: Any) -> bytes:
    """Return the bytes of the object's file.

    Raises:
        UserError: it is not fitted, or takes categories, which its file has no texts of.
    """
    if not estimator.is_fitted():
        raise UserError(f"{type(estimator).__name__} is not fitted; fit it")
    data = file_of(estimator)
    if columns := category_columns(data):
        raise UserError(
            f"{type(estimator).__name__} takes categories in its column {columns[0]}, and does not "
            "know their texts; save it by save_model('models/model.cbm') and give that file as "
            "train.model_path, with the table"
        )
    return data


BYTES: dict[str, tuple[str, Callable[[Any], bytes]]] = (
    {
        f"lightgbm.sklearn.{name}": (
            "lightgbm",
            lambda estimator: str(estimator.booster_.model_to_string()).encode(),
        )
        for name in ("LGBMClassifier", "LGBMRanker", "LGBMRegressor")
    }
    | {
        f"xgboost.sklearn.{name}": ("xgboost", _xgboost_bytes)
        for name in ("XGBClassifier", "XGBRanker", "XGBRegressor")
    }
    | {
        f"catboost.core.{name}": ("catboost", _catboost_bytes)
        for name in ("CatBoostClassifier", "CatBoostRanker", "CatBoostRegressor")
    }
)
"""Library and native bytes of a fitted object, by the path of its class."""

_MADE: dict[int, tuple[bytes, Any]] = {}
"""Native bytes, and the one estimator of them, by the identity of a living object.

Converters know the estimator by its identity; an object that is fitted again has other bytes.
"""


def as_booster(estimator: Any) -> Any:
    """Return the estimator of an object's native bytes, or the object itself if it has none."""
    kind = type(estimator)
    found = BYTES.get(f"{kind.__module__}.{kind.__qualname__}")
    if found is None or not np.isnan(getattr(estimator, "missing", np.nan)):
        return estimator  # XGBoost's class may take a number for a missing value
    library, data, place = found[0], found[1](estimator), id(estimator)
    if place not in _MADE:
        weakref.finalize(estimator, _MADE.pop, place, None)
    elif _MADE[place][0] == data:
        return _MADE[place][1]
    columns = tuple(map(str, range(len(read_booster(library, data).features))))
    if kind.__name__.endswith("Classifier"):
        classes = tuple(np.asarray(estimator.classes_).tolist())
        made: Any = BoosterClassifier(library, data, columns, classes)
    else:
        kind = BoosterRanker if kind.__name__.endswith("Ranker") else BoosterRegressor
        made = kind(library, data, columns)
    _MADE[place] = data, made
    return made


def bytes_with_categories(estimator: Any) -> bytes | None:
    """Return the bytes of a fitted CatBoost object that takes categories; None of all others.

    They have no texts: who has the table can list these before the bytes.
    """
    if type(estimator).__module__ != "catboost.core" or not estimator.is_fitted():
        return None
    data = file_of(estimator)
    return data if category_columns(data) else None


def of_native_bytes(estimator: Any) -> Any:
    """Return an object of CatBoost, or a ranker, as an estimator of scikit-learn; others as is.

    To scikit-learn they are neither classifiers nor regressors. It takes columns by the names that
    it was fitted with, or in order where these are numbers.
    """
    kind = type(estimator)
    if kind.__module__ != "catboost.core" and not kind.__name__.endswith("Ranker"):
        return estimator
    made = as_booster(estimator)
    if made is not estimator:
        made = copy(made)
        key = "feature_names_" if made.library == "catboost" else "feature_names_in_"
        names = tuple(map(str, getattr(estimator, key, ())))
        if len(names) == len(made.columns) and not all(map(str.isdecimal, names)):
            made.columns = names
    return made
