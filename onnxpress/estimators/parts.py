"""The parts of a fitted estimator, and what they may not differ in: how many threads they compute with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np


def set_threads(estimator: Any, threads: int | None) -> Any:
    """Set every ``n_jobs`` in an estimator, in place.

    A dump has None: how many threads fitted a model is no part of the model. scikit-learn's estimators keep None, which
    means what joblib's context says; others get a number when they compute: to LightGBM and XGBoost None is every core.
    """
    for part in parts_of(estimator):
        if hasattr(part, "n_jobs"):
            part.n_jobs = None if type(part).__module__.partition(".")[0] == "sklearn" else threads
    return estimator


def parts_of(estimator: Any) -> Iterator[Any]:
    """The estimator and every estimator in its parameters and fitted parts, each once."""
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
            waiting.extend(vars(item).values())
        elif isinstance(item, (list, tuple)) or (
            isinstance(item, np.ndarray) and item.dtype == object
        ):
            waiting.extend(item)
        elif isinstance(item, dict):
            waiting.extend(item.values())
        elif (
            type(item).__module__.startswith("sklearn.")
            and hasattr(item, "__dict__")
            and not isinstance(item, type)
        ):
            waiting.extend(
                vars(item).values()
            )  # a calibrated classifier of one fold is no estimator
