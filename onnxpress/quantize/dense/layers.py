"""Which constant matrices of a graph are layers, and which of them are worth products in int8."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto

from onnxpress.graph.kernel_machine import COEFFICIENTS, VECTORS
from onnxpress.graph.neighbor_names import ROWS
from onnxpress.quantize.candidates import NotApplicable

MATRIX_PRODUCTS = ("MatMul", "Gemm")

OTHERS = (VECTORS, COEFFICIENTS, ROWS)
"""How the names start of matrices that other methods treat: the rows that a machine holds."""


def layers(model: onnx.ModelProto, min_weights: int) -> set[str]:
    """Names of the constant float32 matrices that rows are multiplied by.

    Those of fewer than ``min_weights`` elements are left out.
    """
    sizes = {
        tensor.name: int(np.prod(tensor.dims))
        for tensor in model.graph.initializer
        if tensor.data_type == TensorProto.FLOAT
        and len(tensor.dims) == 2
        and not tensor.name.startswith(OTHERS)
    }
    return {name for name in _factors(model) if sizes.get(name, 0) >= min_weights}


def weights_to_treat(model: onnx.ModelProto, min_weights: int) -> set[str]:
    """Names of the layers up to the last of at least ``min_weights`` elements, for int8 products.

    Small layers before a large one are among them. In float32 their sums differ in the last bit
    between batch sizes, and rounding to 8 bits would make a whole step of that.

    Raises:
        NotApplicable: there is no layer so large.
    """
    factors = _factors(model)
    if not factors:
        raise NotApplicable("the graph has no matrix product; these quantisers treat nothing else")
    names, large = layers(model, 1), layers(model, min_weights)
    if not large:
        few = f"its matrix products have fewer than {min_weights} weights each"
        raise NotApplicable(f"{few}; int8 would be slower")
    last = max(position for position, name in enumerate(factors) if name in large)
    return names.intersection(factors[: last + 1])


def _factors(model: onnx.ModelProto) -> list[str]:
    """The second inputs of the matrix products, in the order of the graph."""
    return [node.input[1] for node in model.graph.node if node.op_type in MATRIX_PRODUCTS]
