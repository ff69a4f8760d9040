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
from onnxpress.estimators.stored.values import is_plain


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


def torch_program(instance: Any) -> None:
    """A net of PyTorch holds the bytes of a program, written anew by us, and loads it itself."""
    from onnxpress.torch_program.archive import read_program
    from onnxpress.torch_program.fields import BadProgram

    program = get(instance, "program")
    if type(program) is not bytes or has(instance, "_asked"):
        raise Damaged("program should be the bytes of an exported program")
    try:
        written = read_program(program).data
    except BadProgram as error:
        raise Damaged(f"its program {error}") from error
    if written != program:
        raise Damaged("program should be as onnxpress writes it")


def booster(instance: Any) -> None:
    """A booster holds the bytes of a native file, and has the library read them itself.

    Our own reader takes them before the library does.
    """
    from onnxpress.boosters.readers import read_booster
    from onnxpress.errors import UserError

    library, model = get(instance, "library"), get(instance, "model")
    if type(library) is not str or type(model) is not bytes or has(instance, "_opened"):
        raise Damaged("model should be the bytes of a native file")
    parameters = get(instance, "parameters")
    if parameters is not None and not (
        type(parameters) is dict and all(map(is_plain, parameters.values()))
    ):
        raise Damaged("parameters should be a dict of plain values")
    if not model:
        return
    try:
        read = read_booster(library, model)
    except UserError as error:
        raise Damaged(f"its native model {error}") from error
    columns, classes = get(instance, "columns"), vars(instance).get("classes")
    if not _are_plain(columns, str) or len(columns) != len(read.features):
        raise Damaged("columns should be a name for each feature")
    if classes is not None and not (
        (_are_plain(classes, str) or _are_plain(classes, int)) and len(classes) == read.classes
    ):
        raise Damaged("classes should be a label for each class")


def _are_plain(found: Any, kind: type) -> bool:
    return type(found) is tuple and all(type(one) is kind for one in found)


CHECKS = {
    "sklearn.covariance._empirical_covariance.EmpiricalCovariance": covariance,
    "sklearn.base.BaseEstimator": estimator,
    "sklearn.cluster._birch.Birch": birch,
    "onnxpress.estimators.booster_estimator._BoosterEstimator": booster,
    "onnxpress.estimators.onnx_estimator.OnnxEstimator": onnx_model,
    "onnxpress.estimators.torch_estimator._TorchEstimator": torch_program,
}
