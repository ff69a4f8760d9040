"""Convert SGDClassifier: the label from the decisions, and scikit-learn's probabilities.

skl2onnx 1.20 takes the label from the probabilities. Those of several classes may be equal, as
``modified_huber`` clips them and the sigmoid of large decisions is 1: up to every sixth label was
wrong. It also leaves out that rows whose probabilities are all 0 get 1 / classes, and onnxruntime's
Sigmoid never falls below about 1e-8.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from onnx import TensorProto

from onnxpress.conversion.container_writer import ContainerWriter
from onnxpress.conversion.registering import Converter, replace_converters
from onnxpress.graph.writer import Writer

EXP_LIMIT = float(np.log(np.finfo(np.float32).max))


@cache
def register() -> None:
    """Replace skl2onnx's converter, for this process; calling it again changes nothing."""
    from sklearn.linear_model import SGDClassifier

    replace_converters([SGDClassifier], _of_float32)


def _of_float32(original: Converter) -> Converter:
    """Convert float32 rows here; leave other rows, and classes derived from it, to ``original``."""
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn.linear_model import SGDClassifier

    def convert(scope: Any, operator: Any, container: Any) -> None:
        covered = isinstance(operator.inputs[0].type, FloatTensorType)
        own = covered and type(operator.raw_operator) is SGDClassifier
        (_convert if own else original)(scope, operator, container)

    return convert


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """Write label and scores; of a binary decision d, those of -d and d."""
    model = operator.raw_operator
    label, scores = (variable.full_name for variable in operator.outputs)
    writer = ContainerWriter(scope, container)
    weights = np.asarray(model.coef_, np.float32)
    offset = np.asarray(model.intercept_, np.float32)
    if len(model.classes_) == 2:
        weights, offset = np.vstack([-weights, weights]), np.concatenate([-offset, offset])
    x, raw = operator.inputs[0].full_name, container.get_options(model, {}).get("raw_scores")
    constants = writer.constant(weights), writer.constant(offset)
    decided = writer.add("Gemm", x, *constants, transB=1)
    writer.labels(decided, model.classes_, label)
    if raw or not hasattr(model, "predict_proba"):
        writer.add("Identity", decided, output=scores)
        return
    each = (_sigmoid if model.loss == "log_loss" else _clipped)(decided, writer)
    found = each if len(model.classes_) == 2 else _shares(each, writer)
    writer.add("Cast", found, output=scores, to=TensorProto.FLOAT)


def _sigmoid(decided: str, writer: Writer) -> str:
    """Write 1 / (1 + exp(-d)) in float64, as a class may have much of a tiny sum.

    It is 0 where float32's exp is infinite, as in scikit-learn.
    """
    one = writer.constant(np.ones(1))
    power = writer.add("Exp", writer.add("Neg", writer.add("Cast", decided, to=TensorProto.DOUBLE)))
    found = writer.add("Div", one, writer.add("Add", one, power))
    finite = writer.add("Greater", decided, writer.constant(np.array([-EXP_LIMIT], np.float32)))
    return writer.add("Mul", found, writer.add("Cast", finite, to=TensorProto.DOUBLE))


def _clipped(decided: str, writer: Writer) -> str:
    """Write (min(max(d, -1), 1) + 1) / 2."""
    low, high = (writer.constant(np.array(bound, np.float32)) for bound in (-1, 1))
    clipped = writer.add("Cast", writer.add("Clip", decided, low, high), to=TensorProto.DOUBLE)
    half = writer.constant(np.array([0.5]))
    return writer.add("Add", writer.add("Mul", clipped, half), half)


def _shares(each: str, writer: Writer) -> str:
    """Write each class's share of the sum; all shares are equal where the sum is 0."""
    total = writer.reduce("ReduceSum", each, 1)
    none = writer.add("Equal", total, writer.constant(np.zeros(1)))
    each = writer.add("Add", each, writer.add("Cast", none, to=TensorProto.DOUBLE))
    return writer.add("Div", each, writer.reduce("ReduceSum", each, 1))
