"""A class of the user's own that derives from one of scikit-learn's converts as that one.

Symptom: skl2onnx knows exact types alone, and refuses class Mine(RandomForestClassifier).
Versions: skl2onnx 1.20
Test: tests/conversion/test_skl2onnx_patches.py::test_a_class_of_ones_own_converts_as_its_base
Delete when: skl2onnx looks its converters up along the bases of a class.
"""

from __future__ import annotations

from typing import Any

from onnxpress.estimators.parts import parts_of


def as_known(estimator: Any) -> Any:
    """Return the estimator in a form that skl2onnx takes; its fitted parts are shared, not copied.

    1. A class derived from Pipeline becomes a Pipeline of the same steps.
    2. Any other class of the user's own gets the converter of its nearest base that has one. If it
       predicts differently from that base, the rehearsal before the fit refuses it.
    3. A class of scikit-learn's that skl2onnx does not know stays unknown: it may have a reason.
    """
    from skl2onnx._supported_operators import sklearn_operator_name_map as known
    from sklearn.pipeline import Pipeline

    if isinstance(estimator, Pipeline) and type(estimator) is not Pipeline:
        estimator = Pipeline(estimator.steps)
    for own in {type(part) for part in parts_of(estimator)} - known.keys():
        if own.__module__.partition(".")[0] == "sklearn":
            continue
        base = next((base for base in own.__mro__ if base in known), None)
        if base is not None:
            known[own] = known[base]
    return estimator
