"""Compute in float64, between two casts, what float32 rounds too much."""

from __future__ import annotations

from typing import Any

from onnx import TensorProto

from onnxpress.conversion.container_writer import ContainerWriter
from onnxpress.conversion.registering import Converter


def in_double(original: Converter) -> Converter:
    """Wrap ``original`` so that it sees float64 rows; what it makes of such rows stays as it is."""
    from skl2onnx.common.data_types import DoubleTensorType

    def convert(scope: Any, operator: Any, container: Any) -> None:
        given = operator.inputs[0]
        if isinstance(given.type, DoubleTensorType):
            original(scope, operator, container)
            return
        writer = ContainerWriter(scope, container)
        rows = scope.declare_local_variable("rows", DoubleTensorType(given.type.shape))
        writer.add("Cast", given.full_name, output=rows.full_name, to=TensorProto.DOUBLE)
        inner = scope.declare_local_operator(operator.type, operator.raw_operator)
        inner.inputs.append(rows)
        for output in operator.outputs:
            inner.outputs.append(_behind(output, scope, writer))

    return convert


def _behind(output: Any, scope: Any, writer: ContainerWriter) -> Any:
    """Declare what the inner operator gives, and write ``output`` from it; labels stay."""
    from skl2onnx.common.data_types import DoubleTensorType, Int64TensorType, StringTensorType

    if isinstance(output.type, (Int64TensorType, StringTensorType)):
        found = scope.declare_local_variable("found", type(output.type)(output.type.shape))
        writer.add("Identity", found.full_name, output=output.full_name)
    else:
        found = scope.declare_local_variable("found", DoubleTensorType(output.type.shape))
        writer.add("Cast", found.full_name, output=output.full_name, to=TensorProto.FLOAT)
    return found
