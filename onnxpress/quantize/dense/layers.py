"""Which operators of a graph are layers: products of rows with constant weights."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto

from onnxpress.graph.gemm import gemm_attribute
from onnxpress.graph.kernel_machine import COEFFICIENTS, VECTORS
from onnxpress.graph.neighbor_names import ROWS
from onnxpress.quantize.candidates import NotApplicable

MATRIX_PRODUCTS = ("MatMul", "Gemm")
CONVOLUTION = "Conv"

OTHERS = (VECTORS, COEFFICIENTS, ROWS)
"""How the names start of matrices that other methods treat: the rows that a machine holds."""

MATRIX = 2
"""Dimensions; the weights of a convolution have more."""


@dataclass(frozen=True)
class Layer:
    """One matrix product or convolution with constant float32 weights."""

    position: int
    """Of its node in the graph."""
    weights: str
    """Name of the initializer."""
    shape: tuple[int, ...]
    """Of the weights: (inputs, outputs), or (outputs, inputs of a group, kernel...)."""

    @property
    def is_convolution(self) -> bool:
        """Whether it is a convolution, whose sums are the same for any number of rows."""
        return len(self.shape) > MATRIX

    @property
    def outputs_axis(self) -> int:
        """The axis of the weights that counts outputs."""
        return 0 if self.is_convolution else 1

    @property
    def size(self) -> int:
        """How many weights it has."""
        return math.prod(self.shape)


def layers_of(model: onnx.ModelProto) -> list[Layer]:
    """Return the layers of a graph with upright weights, in its order."""
    shapes = _weights(model)
    found = []
    for position, node in enumerate(model.graph.node):
        if len(node.input) > 1 and node.input[1] in shapes and _is_product(node):
            shape = shapes[node.input[1]]
            if (len(shape) > MATRIX) == (node.op_type == CONVOLUTION):
                found.append(Layer(position, node.input[1], shape))
    return found


def layers(model: onnx.ModelProto, min_weights: int) -> set[str]:
    """Names of the constant float32 weights of layers that have ``min_weights`` elements."""
    return {layer.weights for layer in layers_of(model) if layer.size >= min_weights}


def weights_to_treat(model: onnx.ModelProto, min_weights: int) -> set[str]:
    """Names of the matrices up to the last of at least ``min_weights`` elements, for int8 products.

    Small layers before a large one are among them. In float32 their sums differ in the last bit
    between batch sizes, and rounding to 8 bits would make a whole step of that.

    Raises:
        NotApplicable: there is no layer so large.
    """
    products = [node for node in model.graph.node if node.op_type in MATRIX_PRODUCTS]
    if not products:
        raise NotApplicable("the graph has no matrix product; these quantisers treat nothing else")
    matrices = [layer for layer in layers_of(model) if not layer.is_convolution]
    large = [place for place, layer in enumerate(matrices) if layer.size >= min_weights]
    if not large:
        few = f"its matrix products have fewer than {min_weights} weights each"
        raise NotApplicable(f"{few}; int8 would be slower")
    return {layer.weights for layer in matrices[: large[-1] + 1]}


def _is_product(node: onnx.NodeProto) -> bool:
    if node.op_type == "Gemm":
        return not gemm_attribute(node, "transA", 0) and not gemm_attribute(node, "transB", 0)
    return node.op_type in (*MATRIX_PRODUCTS, CONVOLUTION)


def _weights(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """The shapes of all constant float32 tensors of two dimensions or more, by name."""
    return {
        tensor.name: tuple(tensor.dims)
        for tensor in model.graph.initializer
        if tensor.data_type == TensorProto.FLOAT
        and len(tensor.dims) >= MATRIX
        and np.prod(tensor.dims) > 0
        and not tensor.name.startswith(OTHERS)
    }
