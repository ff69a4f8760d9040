"""The rest: matrices that compiled distances read, numbers of threads, and our own model of ONNX."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxpress.estimators.stored.errors import Damaged
from onnxpress.estimators.stored.owner_checks.attributes import MOST_THREADS, array, get, has, number


def covariance(instance: Any) -> None:
    """Distances by the inverse of a covariance take it for square and as wide as the rows."""
    names = [name for name in ("covariance_", "precision_") if vars(instance).get(name) is not None]
    if not names:
        return
    width = number(instance, "n_features_in_", 1)
    for name in names:
        array(instance, name, "f4 f8", width, width)
    array(instance, "location_", "f4 f8", width)


def estimator(instance: Any) -> None:
    """``n_jobs`` is a number of threads or processes that a machine can start."""
    jobs = vars(instance).get("n_jobs")
    if jobs is None:
        return
    if not isinstance(jobs, int | np.integer) or isinstance(jobs, bool) or not -MOST_THREADS <= jobs <= MOST_THREADS:
        raise Damaged(f"n_jobs should be a number from {-MOST_THREADS} to {MOST_THREADS}")


def onnx_model(instance: Any) -> None:
    """A model given as ONNX holds bytes, and opens its session itself."""
    if type(get(instance, "model")) is not bytes or has(instance, "_opened"):
        raise Damaged("model should be the bytes of an ONNX file")


CHECKS = {
    "sklearn.covariance._empirical_covariance.EmpiricalCovariance": covariance,
    "sklearn.base.BaseEstimator": estimator,
    "stages.common.onnx_estimator._OnnxEstimator": onnx_model,
}
