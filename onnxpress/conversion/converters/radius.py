"""Convert the mean of the targets within a radius.

skl2onnx 1.20 looks neighbours up by numbers that it fills up with -1: onnxruntime stops at a row
that has fewer neighbours than another of the same call, and at one that has none. Here a row
without neighbours is NaN, as in scikit-learn, and stops no other row.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from onnx import TensorProto

from onnxpress.conversion.container_writer import ContainerWriter
from onnxpress.conversion.registering import replace_converters


@cache
def register() -> None:
    """Replace skl2onnx's converter, for this process; calling it again changes nothing."""
    from sklearn.neighbors import RadiusNeighborsRegressor

    replace_converters([RadiusNeighborsRegressor], lambda _original: _convert)


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """Write it from squared distances in float64: |x - s|² = |x|² + |s|² - 2 x·s.

    Raises:
        NotImplementedError: the metric or the weights are others than the default ones.
    """
    model = operator.raw_operator
    writer = ContainerWriter(scope, container)
    if model.effective_metric_ != "euclidean" or model.weights != "uniform":
        raise NotImplementedError("only the Euclidean metric and uniform weights are written")
    if hasattr(model._fit_X, "toarray"):
        raise NotImplementedError("only dense rows are written")
    stored = np.asarray(model._fit_X, np.float64)
    centre = stored.mean(axis=0).astype(np.float32).astype(np.float64)
    rows = writer.add("Cast", operator.inputs[0].full_name, to=TensorProto.DOUBLE)
    rows = writer.add("Sub", rows, writer.constant(centre))
    around = stored - centre
    products = writer.add("MatMul", rows, writer.constant(np.ascontiguousarray(-2 * around.T)))
    squares = writer.add("Add", products, writer.constant((around**2).sum(axis=1)))
    squares = writer.add("Add", squares, writer.reduce("ReduceSumSquare", rows, 1))
    beyond = writer.add("Greater", squares, writer.constant(np.array([model.radius**2], float)))
    within = writer.add("Cast", writer.add("Not", beyond), to=TensorProto.DOUBLE)
    targets = np.asarray(model._y, np.float64).reshape(len(stored), -1)
    total = writer.add("MatMul", within, writer.constant(targets))
    mean = writer.add("Div", total, writer.reduce("ReduceSum", within, 1))
    writer.add("Cast", mean, output=operator.outputs[0].full_name, to=TensorProto.FLOAT)
