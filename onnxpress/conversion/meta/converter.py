"""Register the converters of meta-estimators, in the place of skl2onnx's.

skl2onnx 1.20 takes the label of a member where it should take its scores or the other way round,
and refuses or forgets options. The parts here follow scikit-learn's code for each prediction,
whatever the member.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from onnxpress.conversion.meta.members import Members
from onnxpress.conversion.meta.table import part_of, parts
from onnxpress.conversion.meta.values import TWO, Inputs

OPTIONS = {
    "zipmap": [True, False, "columns"],
    "nocl": [True, False],
    "output_class_labels": [False, True],
}
"""What skl2onnx may ask of a classifier's converter."""


@cache
def register() -> None:
    """Replace skl2onnx's converters, for this process; calling it again changes nothing."""
    from skl2onnx import update_registered_converter
    from sklearn.base import ClassifierMixin

    for model in parts():
        alias = f"Sklearn{model.__name__}"
        if issubclass(model, ClassifierMixin):
            update_registered_converter(
                model, alias, _classifier_shapes, _classifier, options=OPTIONS
            )
        else:
            update_registered_converter(model, alias, _regressor_shapes, _regressor)


def _classifier(scope: Any, operator: Any, container: Any) -> None:
    model, inputs = operator.raw_operator, list(operator.inputs)
    members = Members(scope, container, part_of)
    label, scores = (variable.full_name for variable in operator.outputs)
    if hasattr(model, "predict_proba"):
        members.add("Identity", members.probabilities(model, inputs), output=scores)
    else:
        _write_decisions(model, members, inputs, scores)
    labels = members.labels_at(members.places(model, inputs), model.classes_)
    members.add("Identity", labels, output=label)


def _write_decisions(model: Any, members: Members, inputs: Inputs, output: str) -> None:
    """Write decisions with one column for each class."""
    if not hasattr(model, "decision_function"):
        cure = "; set its voting='soft'" if hasattr(model, "voting") else ""
        raise NotImplementedError(f"it gives labels alone, neither probabilities nor scores{cure}")
    decisions = members.decisions(model, inputs)
    if len(model.classes_) == TWO:
        decisions = members.beside([members.add("Neg", decisions), decisions])
    members.add("Identity", decisions, output=output)


def _regressor(scope: Any, operator: Any, container: Any) -> None:
    members = Members(scope, container, part_of)
    values = members.values(operator.raw_operator, list(operator.inputs))
    members.add("Identity", values, output=operator.outputs[0].full_name)


def _classifier_shapes(operator: Any) -> None:
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType

    text = operator.raw_operator.classes_.dtype.kind in "UO"
    operator.outputs[0].set_type((StringTensorType if text else Int64TensorType)([None]))
    operator.outputs[1].set_type(FloatTensorType([None, len(operator.raw_operator.classes_)]))


def _regressor_shapes(operator: Any) -> None:
    from skl2onnx.common.data_types import FloatTensorType

    # a column for each target, which the contract counts
    operator.outputs[0].set_type(FloatTensorType([None, None]))
