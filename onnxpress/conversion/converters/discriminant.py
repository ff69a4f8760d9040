"""Convert linear and quadratic discriminant analysis.

Linear: skl2onnx 1.20 gives two classes the probabilities expit(2 d) of a decision d, where
scikit-learn has expit(d), and sums large terms of columns far from 0 in float32, where scikit-learn
has float64. Quadratic: skl2onnx 1.20 asks for a sum over no axis and fails.

The log posterior of class k is

    -(|(x - mean_k) R_k S_k^-1/2|^2 + sum(log S_k)) / 2 + log prior_k

Source: eq. 4.12 of Hastie, Tibshirani and Friedman, "The Elements of Statistical Learning" (2nd
edition), as scikit-learn computes it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from onnx import TensorProto

from onnxpress.conversion.container_writer import ContainerWriter
from onnxpress.conversion.registering import replace_converters
from onnxpress.graph.writer import Writer


@cache
def register() -> None:
    """Replace skl2onnx's converters, for this process; calling it again changes nothing."""
    from sklearn.discriminant_analysis import (
        LinearDiscriminantAnalysis,
        QuadraticDiscriminantAnalysis,
    )

    replace_converters([QuadraticDiscriminantAnalysis], lambda _: _quadratic)
    # skl2onnx converts this one as it does all linear classifiers, which stay with their converter
    own_name = "SklearnLinearDiscriminantAnalysis"
    replace_converters([LinearDiscriminantAnalysis], lambda _: _linear, alias=own_name)


def _linear(scope: Any, operator: Any, container: Any) -> None:
    """Write softmax of the decisions.

    Of a binary decision d, that of [-d / 2, d / 2], whose second value is expit(d).
    """
    model = operator.raw_operator
    label, scores = (variable.full_name for variable in operator.outputs)
    writer = ContainerWriter(scope, container)
    coefficients = np.asarray(model.coef_, np.float64)
    rows = writer.add("Cast", operator.inputs[0].full_name, to=TensorProto.DOUBLE)
    offset = writer.constant(np.asarray(model.intercept_, np.float64))
    decided = writer.add("Gemm", rows, writer.constant(coefficients), offset, transB=1)
    if len(coefficients) == 1:
        decided = writer.add("Mul", decided, writer.constant(np.array([[-0.5, 0.5]])))
    writer.labels(decided, model.classes_, label)
    raw = container.get_options(model, {}).get("raw_scores")
    if raw and len(coefficients) == 1:
        decided = writer.add("Mul", decided, writer.constant(np.array([2.0])))
    found = decided if raw else writer.add("Softmax", decided, axis=1)
    kind = TensorProto.DOUBLE if _is_double(operator) else TensorProto.FLOAT
    writer.add("Cast", found, output=scores, to=kind)


def _is_double(operator: Any) -> bool:
    from skl2onnx.common.data_types import DoubleTensorType

    return isinstance(operator.inputs[0].type, DoubleTensorType)


def _quadratic(scope: Any, operator: Any, container: Any) -> None:
    label, probabilities = (variable.full_name for variable in operator.outputs)
    writer = ContainerWriter(scope, container)
    scores = log_posterior(operator.raw_operator, operator.inputs[0].full_name, writer)
    writer.add("Softmax", scores, output=probabilities, axis=1)
    writer.labels(scores, operator.raw_operator.classes_, label)


def log_posterior(model: Any, x: str, writer: Writer) -> str:
    """Write the log posteriors, float32 (rows, classes).

    Each class is a layer of one product of stacked matrices, (classes, rows, rank). A class of
    lower rank is padded with 0: of two classes of rank 2 and 1, the second has [[a, 0], [b, 0]].
    """
    means = np.asarray(model.means_, np.float32)
    rank = max(map(len, model.scalings_))
    whitening = np.zeros((*means.shape, rank), np.float32)
    for layer, rotation, scaling in zip(whitening, model.rotations_, model.scalings_, strict=True):
        layer[:, : len(scaling)] = rotation / np.sqrt(scaling)
    rows = writer.add("Reshape", x, writer.constant(np.array([1, -1, means.shape[1]], np.int64)))
    apart = writer.add("Sub", rows, writer.constant(means[:, None, :]))
    turned = writer.add("MatMul", apart, writer.constant(whitening))
    squares = writer.reduce("ReduceSumSquare", turned, 2, keepdims=False)
    by_row = writer.add("Transpose", squares, perm=[1, 0])
    distances = writer.add("Mul", by_row, writer.constant(np.array([-0.5], np.float32)))
    spread = [np.sum(np.log(scaling)) / 2 for scaling in model.scalings_]
    constant = np.log(model.priors_) - spread
    return writer.add("Add", distances, writer.constant(constant.astype(np.float32)))
