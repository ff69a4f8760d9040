"""Classes of the user's own that derive from scikit-learn's: skl2onnx knows exact types only.

A pipeline converts as the pipeline that it is, any other class as the nearest base class that skl2onnx knows. Where it
answers otherwise than that base, the rehearsal before the fit and the agreement in evaluate tell.
"""

from __future__ import annotations

from typing import Any

from onnxpress.estimators.parts import parts_of


def as_known(estimator: Any) -> Any:
    """The estimator in a form that skl2onnx takes; its fitted parts are shared, not copied."""
    from skl2onnx._supported_operators import sklearn_operator_name_map as known
    from sklearn.pipeline import Pipeline

    if isinstance(estimator, Pipeline) and type(estimator) is not Pipeline:
        estimator = Pipeline(estimator.steps)
    for own in {type(part) for part in parts_of(estimator)} - known.keys():
        if own.__module__.partition(".")[0] == "sklearn":
            continue  # skl2onnx leaves it out for a reason
        base = next((base for base in own.__mro__ if base in known), None)
        if base is not None:
            known[own] = known[base]
    return estimator
