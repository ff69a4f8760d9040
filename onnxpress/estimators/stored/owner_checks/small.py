"""The rest: matrices that compiled distances read, thread counts, our own ONNX model."""

from __future__ import annotations

from typing import Any

from onnxpress.estimators.stored.errors import Damaged
from onnxpress.estimators.stored.owner_checks.attributes import (
    MOST_THREADS,
    array,
    get,
    has,
    number,
)
from onnxpress.estimators.stored.trees import whole


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
    """Parameters of a fitted estimator are what scikit-learn takes at a fit.

    With others, compiled code counts wrongly.

    ``n_jobs`` is a number of threads or processes that a machine can start. Decision trees, of
    which there may be thousands, have no parameter that matters after the fit.
    """
    jobs = vars(instance).get("n_jobs")
    if jobs is not None:
        whole(jobs, "n_jobs", -MOST_THREADS, MOST_THREADS)
    fitted = any(name.endswith("_") for name in vars(instance))
    if not fitted or not hasattr(instance, "_parameter_constraints") or _is_tree(instance):
        return
    try:
        instance._validate_params()
    except Exception as error:  # InvalidParameterError, or what odd parameters lead to
        raise Damaged(
            f"a parameter that scikit-learn refuses: "
            f"{str(error).splitlines()[0] if str(error) else error!r}"
        ) from error


def _is_tree(instance: Any) -> bool:
    return any(kind.__name__ == "BaseDecisionTree" for kind in type(instance).__mro__)


def birch(instance: Any) -> None:
    """The norms of the centres are one for each."""
    if has(instance, "subcluster_centers_"):
        centers = array(
            instance, "subcluster_centers_", "f4 f8", None, number(instance, "n_features_in_", 1)
        )
        array(instance, "_subcluster_norms", "f4 f8", len(centers))


def onnx_model(instance: Any) -> None:
    """A model given as ONNX holds bytes, and opens its session itself."""
    if type(get(instance, "model")) is not bytes or has(instance, "_opened"):
        raise Damaged("model should be the bytes of an ONNX file")


CHECKS = {
    "sklearn.covariance._empirical_covariance.EmpiricalCovariance": covariance,
    "sklearn.base.BaseEstimator": estimator,
    "sklearn.cluster._birch.Birch": birch,
    "onnxpress.estimators.onnx_estimator._OnnxEstimator": onnx_model,
}
