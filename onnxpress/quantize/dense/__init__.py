"""Weight matrices in fewer bits: the layers of networks and the coefficients of linear models.

Only the storage changes. The weights are float32 again once a runtime has loaded the model (see
``onnxpress.quantize.products.storage``), so that it is as fast as before and its activations lose nothing. Computing in int8,
which pays for large layers only, is what ``dynamic`` and ``static`` do.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import onnx
from onnx import TensorProto

from onnxpress.graph.gemm import with_upright_weights
from onnxpress.graph.kernel_machine import COEFFICIENTS, VECTORS
from onnxpress.graph.neighbor_names import ROWS
from onnxpress.quantize.candidates import Candidate, NotApplicable
from onnxpress.quantize.dense.linear import as_products
from onnxpress.quantize.products.storage import Form, columns_int8, half, store
from onnxpress.tables.rows import Rows

MATRIX_PRODUCTS = ("MatMul", "Gemm")
MIN_WEIGHTS = 1024
"""Elements from which a matrix is worth two more operators in the file."""
SMALL = f"the graph has no layer of {MIN_WEIGHTS} weights or more, and smaller ones stay in float32"
OTHERS = (VECTORS, COEFFICIENTS, ROWS)
"""Names of matrices that are no layers but a machine's own rows: the methods for those treat them."""


def candidates(model: onnx.ModelProto) -> list[Candidate]:
    """What is worth trying on the layers of ``model``; nothing if it has none that are large enough."""
    if not layers(_products(model), MIN_WEIGHTS):
        return []
    return [Candidate("dense/int8", partial(_stored, form=columns_int8))]


def float16(model: onnx.ModelProto, rows: Rows) -> onnx.ModelProto:
    """Every layer's weights in half precision.

    Raises:
        NotApplicable: there is no layer, all are small, or the weights do not fit into float16.
    """
    return _stored(model, rows, form=half)


def _stored(model: onnx.ModelProto, rows: Rows, *, form: Form) -> onnx.ModelProto:
    """``rows`` are not needed."""
    del rows
    products = _products(model)
    names = layers(products, MIN_WEIGHTS)
    if not names:
        raise NotApplicable(SMALL)
    return store(products, lambda name: form if name in names else None)


def _products(model: onnx.ModelProto) -> onnx.ModelProto:
    return with_upright_weights(as_products(model, MIN_WEIGHTS))


def layers(model: onnx.ModelProto, min_weights: int) -> set[str]:
    """Names of the constant float32 matrices of at least ``min_weights`` elements that rows are multiplied by."""
    sizes = {
        tensor.name: int(np.prod(tensor.dims))
        for tensor in model.graph.initializer
        if tensor.data_type == TensorProto.FLOAT
        and len(tensor.dims) == 2
        and not tensor.name.startswith(OTHERS)
    }
    factors = {node.input[1] for node in model.graph.node if node.op_type in MATRIX_PRODUCTS}
    return {name for name in factors if sizes.get(name, 0) >= min_weights}


def weights_to_treat(model: onnx.ModelProto, min_weights: int) -> set[str]:
    """Names of the layers up to the last one of at least ``min_weights`` elements, for products in int8.

    Small layers before a large one are among them: in float32 their sums differ in the last bit between batch sizes, and
    rounding to 8 bits would make a whole step of that.

    Raises:
        NotApplicable: there is no layer so large.
    """
    factors = [node.input[1] for node in model.graph.node if node.op_type in MATRIX_PRODUCTS]
    if not factors:
        raise NotApplicable("the graph has no matrix product; these quantisers treat nothing else")
    names, large = layers(model, 1), layers(model, min_weights)
    if not large:
        raise NotApplicable(
            f"its matrix products have fewer than {min_weights} weights each; int8 would be slower"
        )
    last = max(position for position, name in enumerate(factors) if name in large)
    return names.intersection(factors[: last + 1])
