"""What a served model takes and returns, in the words of the Open Inference Protocol.

Names, types and shapes come from the ONNX graph. The protocol is version 2 of
github.com/kserve/open-inference-protocol; Triton, KServe and others speak it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import onnx

from onnxpress.errors import UserError

DATATYPES: dict[int, str] = {
    onnx.TensorProto.BOOL: "BOOL",
    onnx.TensorProto.UINT8: "UINT8",
    onnx.TensorProto.INT8: "INT8",
    onnx.TensorProto.INT16: "INT16",
    onnx.TensorProto.INT32: "INT32",
    onnx.TensorProto.INT64: "INT64",
    onnx.TensorProto.FLOAT16: "FP16",
    onnx.TensorProto.FLOAT: "FP32",
    onnx.TensorProto.DOUBLE: "FP64",
    onnx.TensorProto.STRING: "BYTES",
}
"""The protocol's types by those of ONNX."""
ANY = -1
"""The size of a dimension that the graph does not fix."""


@dataclass(frozen=True)
class Tensor:
    """An input or output of a served model."""

    name: str
    datatype: str
    """As in the protocol: FP32, INT64, BYTES (text) and so on."""
    row: tuple[int, ...]
    """The shape without the first dimension, the rows: (4,) of X (rows, 4), () of label (rows,)."""


def inputs_of(model: onnx.ModelProto) -> list[Tensor]:
    """Return what a request must hold, in the graph's order.

    Raises:
        UserError: a server cannot form batches for this graph.
    """
    constants = {constant.name for constant in model.graph.initializer}
    return [_tensor(value) for value in model.graph.input if value.name not in constants]


def outputs_of(model: onnx.ModelProto) -> list[Tensor]:
    """Return what a response holds, in the graph's order.

    Raises:
        UserError: as :func:`inputs_of`.
    """
    return [_tensor(value) for value in model.graph.output]


def _tensor(value: onnx.ValueInfoProto) -> Tensor:
    kind = value.type.tensor_type
    if kind.elem_type not in DATATYPES:
        raise UserError(
            f"{value.name!r} of the quantised model should be a tensor of numbers or text, so that "
            "a server can send it; convert the model again"
        )
    sizes = [size.dim_value or ANY for size in kind.shape.dim]
    if not sizes or sizes[0] != ANY:
        raise UserError(
            f"{value.name!r} of the quantised model should take any number of rows, got the shape "
            f"{sizes}; convert the model again"
        )
    return Tensor(value.name, DATATYPES[kind.elem_type], tuple(sizes[1:]))


def example_request(inputs: Sequence[Tensor]) -> dict[str, Any]:
    """Return a request of one row, as the JSON body of ``POST /v2/models/<name>/infer``.

    All numbers are 0 and all texts empty, so that it needs no data of the user.
    """
    return {"inputs": [_zeros(tensor) for tensor in inputs]}


def _zeros(tensor: Tensor) -> dict[str, Any]:
    shape = [1, *(max(size, 1) for size in tensor.row)]
    zero = {"BYTES": "", "BOOL": False, "FP32": 0.0, "FP64": 0.0}.get(tensor.datatype, 0)
    data = [zero] * prod(shape)
    return {"name": tensor.name, "shape": shape, "datatype": tensor.datatype, "data": data}
