"""SGDClassifier: the label from the decisions, and scikit-learn's probabilities, in the place of skl2onnx's converter.

skl2onnx 1.20 takes the label from the probabilities. Those of several classes may be equal, as ``modified_huber`` clips
them and the sigmoid of large decisions is 1: up to every sixth label was another. It also leaves out that rows whose
probabilities are all 0 get 1 / classes, and onnxruntime's Sigmoid never falls below about 1e-8.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from onnx import TensorProto

from onnxpress.conversion.container_writer import ContainerWriter
from onnxpress.graph.writer import Writer

EXP_LIMIT = float(np.log(np.finfo(np.float32).max))


@cache
def register() -> None:
    """Put the converter in the place of skl2onnx's, for this process; calling it again changes nothing."""
    from skl2onnx import update_registered_converter
    from skl2onnx.common._registration import get_converter, get_shape_calculator
    from sklearn.linear_model import SGDClassifier

    alias = "SklearnSGDClassifier"
    original, shapes = get_converter(alias), get_shape_calculator(alias)

    def convert(scope: Any, operator: Any, container: Any) -> None:
        from skl2onnx.common.data_types import FloatTensorType

        covered = isinstance(operator.inputs[0].type, FloatTensorType)
        (_convert if covered and type(operator.raw_operator) is SGDClassifier else original)(
            scope, operator, container
        )

    update_registered_converter(
        SGDClassifier, alias, shapes, convert, options=original.get_allowed_options()
    )


def _convert(scope: Any, operator: Any, container: Any) -> None:
    model, (label, scores) = (
        operator.raw_operator,
        (variable.full_name for variable in operator.outputs),
    )
    writer = ContainerWriter(scope, container)
    coefficients, offset = (
        np.asarray(values, np.float32) for values in (model.coef_, model.intercept_)
    )
    if len(model.classes_) == 2:  # of a decision d, those of -d and d
        coefficients, offset = (
            np.vstack([-coefficients, coefficients]),
            np.concatenate([-offset, offset]),
        )
    x, raw = operator.inputs[0].full_name, container.get_options(model, {}).get("raw_scores")
    decided = writer.add(
        "Gemm", x, writer.constant(coefficients), writer.constant(offset), transB=1
    )
    writer.labels(decided, model.classes_, label)
    if raw or not hasattr(model, "predict_proba"):
        writer.add("Identity", decided, output=scores)
    else:
        each = (_sigmoid if model.loss == "log_loss" else _clipped)(decided, writer)
        found = each if len(model.classes_) == 2 else _shares(each, writer)
        writer.add("Cast", found, output=scores, to=TensorProto.FLOAT)


def _sigmoid(decided: str, writer: Writer) -> str:
    """1 / (1 + exp(-d)) in float64, as a class may have much of a tiny sum; 0 where float32's exp is infinite."""
    one = writer.constant(np.ones(1))
    power = writer.add("Exp", writer.add("Neg", writer.add("Cast", decided, to=TensorProto.DOUBLE)))
    found = writer.add("Div", one, writer.add("Add", one, power))
    finite = writer.add("Greater", decided, writer.constant(np.array([-EXP_LIMIT], np.float32)))
    return writer.add("Mul", found, writer.add("Cast", finite, to=TensorProto.DOUBLE))


def _clipped(decided: str, writer: Writer) -> str:
    """(min(max(d, -1), 1) + 1) / 2."""
    low, high = (writer.constant(np.array(bound, np.float32)) for bound in (-1, 1))
    clipped = writer.add("Cast", writer.add("Clip", decided, low, high), to=TensorProto.DOUBLE)
    half = writer.constant(np.array([0.5]))
    return writer.add("Add", writer.add("Mul", clipped, half), half)


def _shares(each: str, writer: Writer) -> str:
    """What each class has of the sum; all have the same where that is 0."""
    total = writer.reduce("ReduceSum", each, 1)
    zero = writer.add(
        "Cast", writer.add("Equal", total, writer.constant(np.zeros(1))), to=TensorProto.DOUBLE
    )
    each = writer.add("Add", each, zero)
    return writer.add("Div", each, writer.reduce("ReduceSum", each, 1))
