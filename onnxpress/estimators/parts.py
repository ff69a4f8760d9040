"""The estimators inside a fitted estimator, and how many threads they compute with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np


def set_threads(estimator: Any, threads: int | None) -> Any:
    """Set every ``n_jobs`` in an estimator, in place, and return the estimator.

    A dump has None, for the number of threads that fitted a model is not part of the model.
    scikit-learn's estimators keep None, which means the number of joblib's context. Others get a
    number when they compute: to LightGBM and XGBoost None means every core.
    """
    for part in parts_of(estimator):
        if hasattr(part, "n_jobs"):
            part.n_jobs = None if type(part).__module__.partition(".")[0] == "sklearn" else threads
    return estimator


def parts_of(estimator: Any) -> Iterator[Any]:
    """Yield the estimator and every estimator in its parameters and fitted parts, each once."""
    from sklearn.base import BaseEstimator

    waiting: list[Any] = [estimator]
    seen: set[int] = set()
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, BaseEstimator):
            yield item
        waiting.extend(_held_by(item))


def _held_by(item: Any) -> list[Any]:
    """Return what may hold estimators inside ``item``: its attributes, or its items."""
    if isinstance(item, (list, tuple)) or (isinstance(item, np.ndarray) and item.dtype == object):
        return list(item)
    if isinstance(item, dict):
        return list(item.values())
    is_class = isinstance(item, type)
    # some objects of scikit-learn are not estimators, as a calibrated classifier of one fold
    if _is_estimator(item) or (
        type(item).__module__.startswith("sklearn.") and hasattr(item, "__dict__") and not is_class
    ):
        return list(vars(item).values())
    return []


def _is_estimator(item: Any) -> bool:
    from sklearn.base import BaseEstimator

    return isinstance(item, BaseEstimator)
