"""skl2onnx's own converter of an estimator, on float64 between two casts, for what float32 rounds too much."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from onnx import TensorProto

from onnxpress.conversion.container_writer import ContainerWriter

Converter = Callable[[Any, Any, Any], None]


def in_double(original: Converter) -> Converter:
    """``original``, given float64; what it makes of float64 rows stays as it is."""
    from skl2onnx.common.data_types import DoubleTensorType, Int64TensorType, StringTensorType

    def convert(scope: Any, operator: Any, container: Any) -> None:
        if isinstance(operator.inputs[0].type, DoubleTensorType):
            original(scope, operator, container)
            return
        writer = ContainerWriter(scope, container)
        rows = scope.declare_local_variable("rows", DoubleTensorType(operator.inputs[0].type.shape))
        writer.add(
            "Cast", operator.inputs[0].full_name, output=rows.full_name, to=TensorProto.DOUBLE
        )
        inner = scope.declare_local_operator(operator.type, operator.raw_operator)
        inner.inputs.append(rows)
        for output in operator.outputs:
            kept = isinstance(output.type, (Int64TensorType, StringTensorType))
            kind = type(output.type) if kept else DoubleTensorType
            found = scope.declare_local_variable("found", kind(output.type.shape))
            inner.outputs.append(found)
            if kept:
                writer.add("Identity", found.full_name, output=output.full_name)
            else:
                writer.add("Cast", found.full_name, output=output.full_name, to=TensorProto.FLOAT)

    return convert


@cache
def register() -> None:
    """Let these estimators be converted so, for this process; calling it again changes nothing.

    skl2onnx 1.20 computes them in float32, scikit-learn in float64. A Gaussian process sums many large terms of both signs
    (1e-4 of a prediction was lost); naive Bayes turns sums of hundreds into probabilities (3e-4 lost).
    """
    from skl2onnx import update_registered_converter
    from skl2onnx._supported_operators import sklearn_operator_name_map
    from skl2onnx.common._registration import get_converter, get_shape_calculator
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.naive_bayes import BernoulliNB, ComplementNB, MultinomialNB

    for model in (GaussianProcessRegressor, BernoulliNB, ComplementNB, MultinomialNB):
        alias = sklearn_operator_name_map[model]
        original, shapes = get_converter(alias), get_shape_calculator(alias)
        update_registered_converter(
            model, alias, shapes, in_double(original), options=original.get_allowed_options()
        )
