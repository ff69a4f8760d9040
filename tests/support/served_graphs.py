"""ONNX graphs whose inputs and outputs are all that matters."""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper

Shape = list[int | None]


def model_of(
    inputs: dict[str, tuple[int, Shape]], outputs: dict[str, tuple[int, Shape]]
) -> onnx.ModelProto:
    """A graph with these tensors; what it computes does not matter."""
    taken, given = (
        [helper.make_tensor_value_info(name, *form) for name, form in values.items()]
        for values in (inputs, outputs)
    )
    return helper.make_model(helper.make_graph([], "g", taken, given))


FOREST = model_of(
    {"X": (TensorProto.FLOAT, [None, 4])},
    {"label": (TensorProto.INT64, [None]), "probabilities": (TensorProto.FLOAT, [None, 3])},
)
MIXED = model_of(
    {"length": (TensorProto.FLOAT, [None, 1]), 'the "isle"\n': (TensorProto.STRING, [None, 1])},
    {"label": (TensorProto.STRING, [None]), "scores": (TensorProto.FLOAT, [None, None])},
)
