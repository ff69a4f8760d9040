"""The meta-estimators that are converted here, in the place of skl2onnx's converters.

skl2onnx 1.20 takes the label of a member where it should take its scores or the other way round, and refuses or forgets
options; the parts here follow scikit-learn's code for every question, whatever the member.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from onnxpress.conversion.adaptive_boosting import AdaptiveBoosting
from onnxpress.conversion.bagging import Bagging
from onnxpress.conversion.calibrated import Calibrated
from onnxpress.conversion.members import TWO, Members
from onnxpress.conversion.one_vs import OneVsOne, OneVsRest, OutputCode
from onnxpress.conversion.part import Part
from onnxpress.conversion.stacking import Stacking
from onnxpress.conversion.thresholded import Thresholded
from onnxpress.conversion.transformed_target import TransformedTarget
from onnxpress.conversion.voting import Voting

OPTIONS = {
    "zipmap": [True, False, "columns"],
    "nocl": [True, False],
    "output_class_labels": [False, True],
}


@cache
def _parts() -> dict[type, Part]:
    from sklearn import ensemble, multiclass
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV

    return {
        ensemble.AdaBoostClassifier: AdaptiveBoosting(),
        ensemble.AdaBoostRegressor: AdaptiveBoosting(),
        ensemble.BaggingClassifier: Bagging(),
        ensemble.BaggingRegressor: Bagging(),
        CalibratedClassifierCV: Calibrated(),
        multiclass.OneVsRestClassifier: OneVsRest(),
        multiclass.OneVsOneClassifier: OneVsOne(),
        multiclass.OutputCodeClassifier: OutputCode(),
        ensemble.StackingClassifier: Stacking(),
        ensemble.StackingRegressor: Stacking(),
        FixedThresholdClassifier: Thresholded(),
        TunedThresholdClassifierCV: Thresholded(),
        TransformedTargetRegressor: TransformedTarget(),
        ensemble.VotingClassifier: Voting(),
        ensemble.VotingRegressor: Voting(),
    }


def part_of(estimator: Any) -> Part | None:
    """The part that writes this estimator, a class derived from its class included; None if skl2onnx converts it."""
    return next((part for base, part in _parts().items() if isinstance(estimator, base)), None)


@cache
def register() -> None:
    """Put the converters in the place of skl2onnx's, for this process; calling it again changes nothing."""
    from skl2onnx import update_registered_converter
    from sklearn.base import ClassifierMixin

    for model in _parts():
        classifies = issubclass(model, ClassifierMixin)
        convert, shapes = (
            (_classifier, _classifier_shapes) if classifies else (_regressor, _regressor_shapes)
        )
        options = OPTIONS if classifies else None
        update_registered_converter(
            model, f"Sklearn{model.__name__}", shapes, convert, options=options
        )
    _let_linear_svc_take_zipmap()


def _let_linear_svc_take_zipmap() -> None:
    """skl2onnx 1.20 gives every classifier in a pipeline the option zipmap, which this one alone does not know."""
    from skl2onnx.common._registration import get_converter, register_converter

    original = get_converter("SklearnLinearSVC")
    options = {**original.get_allowed_options(), **OPTIONS}
    register_converter("SklearnLinearSVC", _calling(original), overwrite=True, options=options)


def _calling(converter: Any) -> Callable[[Any, Any, Any], None]:
    """A function, which is what skl2onnx registers; what it has registered is none."""

    def convert(scope: Any, operator: Any, container: Any) -> None:
        converter(scope, operator, container)

    return convert


def _classifier(scope: Any, operator: Any, container: Any) -> None:
    model, members, inputs = operator.raw_operator, Members(scope, container), list(operator.inputs)
    label, scores = (variable.full_name for variable in operator.outputs)
    if hasattr(model, "predict_proba"):
        members.add("Identity", members.probabilities(model, inputs), output=scores)
    else:
        _write_decisions(model, members, inputs, scores)
    members.add(
        "Identity", members.labels_at(members.places(model, inputs), model.classes_), output=label
    )


def _write_decisions(model: Any, members: Members, inputs: list[Any], output: str) -> None:
    """Decisions with a column a class."""
    if not hasattr(model, "decision_function"):
        cure = "; set its voting='soft'" if hasattr(model, "voting") else ""
        raise NotImplementedError(f"it gives labels alone, neither probabilities nor scores{cure}")
    decisions = members.decisions(model, inputs)
    if len(model.classes_) == TWO:
        decisions = members.beside([members.add("Neg", decisions), decisions])
    members.add("Identity", decisions, output=output)


def _regressor(scope: Any, operator: Any, container: Any) -> None:
    members = Members(scope, container)
    values = members.values(operator.raw_operator, list(operator.inputs))
    members.add("Identity", values, output=operator.outputs[0].full_name)


def _classifier_shapes(operator: Any) -> None:
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType

    text = operator.raw_operator.classes_.dtype.kind in "UO"
    operator.outputs[0].set_type((StringTensorType if text else Int64TensorType)([None]))
    operator.outputs[1].set_type(FloatTensorType([None, len(operator.raw_operator.classes_)]))


def _regressor_shapes(operator: Any) -> None:
    from skl2onnx.common.data_types import FloatTensorType

    operator.outputs[0].set_type(FloatTensorType([None, 1]))
