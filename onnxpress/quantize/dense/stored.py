"""Layers stored in fewer bits, and in float32 again once a runtime has loaded the model.

See :mod:`onnxpress.quantize.storage`.
"""

from __future__ import annotations

from functools import partial

import onnx

from onnxpress.graph.gemm import with_upright_weights
from onnxpress.quantize.candidates import Candidate, Form, Method, NotApplicable
from onnxpress.quantize.dense.layers import layers
from onnxpress.quantize.dense.linear import as_products
from onnxpress.quantize.options import Options
from onnxpress.quantize.storage import WriteMatrix, columns_int8, half, store
from onnxpress.tables.rows import Rows

MIN_WEIGHTS = 1024
"""Elements from which a matrix is worth two more operators in the file."""

SMALL = f"the graph has no layer of {MIN_WEIGHTS} weights or more, and smaller ones stay in float32"


def dense_candidates(model: onnx.ModelProto, _options: Options) -> list[Candidate]:
    """What is worth trying on the layers of ``model``; nothing if none is large enough."""
    if not layers(_products(model), MIN_WEIGHTS):
        return []
    int8 = partial(_stored, write_matrix=columns_int8)
    return [Candidate(Method.DENSE, int8, form=Form.INT8)]


def float16(model: onnx.ModelProto, rows: Rows) -> onnx.ModelProto:
    """Store every layer's weights in half precision; ``rows`` are not needed.

    Raises:
        NotApplicable: there is no layer, all are small, or the weights do not fit into float16.
    """
    return _stored(model, rows, write_matrix=half)


def _stored(model: onnx.ModelProto, _rows: Rows, *, write_matrix: WriteMatrix) -> onnx.ModelProto:
    products = _products(model)
    names = layers(products, MIN_WEIGHTS)
    if not names:
        raise NotApplicable(SMALL)
    return store(products, lambda name: write_matrix if name in names else None)


def _products(model: onnx.ModelProto) -> onnx.ModelProto:
    return with_upright_weights(as_products(model, MIN_WEIGHTS))
