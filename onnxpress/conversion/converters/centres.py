"""Convert k-means as a step of a pipeline: the distances to its centres.

skl2onnx 1.20 gives it two outputs, as to the end of a pipeline, and the next step refuses them. Its
distances are the square roots of float32 sums, which are NaN where rounding makes a sum negative.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from onnx import TensorProto

from onnxpress.conversion.container_writer import ContainerWriter


@cache
def register() -> None:
    """Replace skl2onnx's converters, for this process; calling it again changes nothing."""
    from skl2onnx import update_registered_converter
    from sklearn.cluster import BisectingKMeans, KMeans, MiniBatchKMeans

    for model in (KMeans, MiniBatchKMeans, BisectingKMeans):
        update_registered_converter(model, "OnnxpressCentres", _shape, _convert, parser=_parse)


def _parse(
    scope: Any,
    model: Any,
    inputs: list[Any],
    custom_parsers: Any = None,  # noqa: ARG001 - skl2onnx passes it by name
) -> list[Any]:
    """Declare one output in the place of a label and scores."""
    from skl2onnx.common.data_types import FloatTensorType

    operator = scope.declare_local_operator("OnnxpressCentres", model)
    operator.inputs.extend(inputs)
    operator.outputs.append(scope.declare_local_variable("distances", FloatTensorType()))
    return list(operator.outputs)


def _shape(operator: Any) -> None:
    rows = operator.inputs[0].get_first_dimension()
    operator.outputs[0].type.shape = [rows, len(operator.raw_operator.cluster_centers_)]


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """Write the distances, from squares in float64: |x - c|² = |x|² + |c|² - 2 x·c."""
    writer = ContainerWriter(scope, container)
    centres = np.asarray(operator.raw_operator.cluster_centers_, np.float64)
    middle = centres.mean(axis=0)
    around = centres - middle
    rows = writer.add("Cast", operator.inputs[0].full_name, to=TensorProto.DOUBLE)
    rows = writer.add("Sub", rows, writer.constant(middle))
    products = writer.add("MatMul", rows, writer.constant(np.ascontiguousarray(-2 * around.T)))
    squares = writer.add("Add", products, writer.constant((around**2).sum(axis=1)))
    squares = writer.add("Add", squares, writer.reduce("ReduceSumSquare", rows, 1))
    squares = writer.add("Max", squares, writer.constant(np.zeros(1)))
    distances = writer.add("Sqrt", squares)
    output = operator.outputs[0].full_name
    writer.add("Cast", distances, output=output, to=TensorProto.FLOAT)
