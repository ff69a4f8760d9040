"""Layers stored in fewer bits, and in float32 again once a runtime has loaded the model.

See :mod:`onnxpress.quantize.storage`.
"""

from __future__ import annotations

from functools import partial

import onnx

from onnxpress.graph.gemm import with_upright_weights
from onnxpress.graph.writer import GraphWriter
from onnxpress.quantize.candidates import Candidate, Form, Method, NotApplicable
from onnxpress.quantize.dense.block_products import block_products
from onnxpress.quantize.dense.blocks import write_weights
from onnxpress.quantize.dense.layers import MATRIX, layers, layers_of
from onnxpress.quantize.dense.linear import as_products
from onnxpress.quantize.options import Options
from onnxpress.quantize.storage import Matrix, WriteMatrix, half, outputs_int8, store
from onnxpress.tables.rows import Rows

MIN_WEIGHTS = 1024
"""Elements from which a matrix is worth two more operators in the file."""

SMALL = f"the graph has no layer of {MIN_WEIGHTS} weights or more, and smaller ones stay in float32"


def dense_candidates(model: onnx.ModelProto, options: Options) -> list[Candidate]:
    """What is worth trying on the layers of ``model``; nothing if none is large enough.

    An operator of onnxruntime's own is tried only where the fastest model is wanted: the same
    blocks in operators of ai.onnx are as small, and run in every runtime.
    """
    large = [layer for layer in layers_of(products_of(model)) if layer.size >= MIN_WEIGHTS]
    if not large:
        return []
    forms = [(Form.INT4, _int4), (Form.INT8, outputs_int8)]
    if any(layer.is_convolution for layer in large):
        forms.insert(0, (Form.INT4_ALL, write_weights))
    found = [
        Candidate(Method.DENSE, partial(_stored, write_matrix=write), form=form)
        for form, write in forms
    ]
    if options.objective != "size":
        found.append(Candidate(Method.DENSE, _block_products, form=Form.INT4_PRODUCT))
    return found


def float16(model: onnx.ModelProto, rows: Rows) -> onnx.ModelProto:
    """Store every layer's weights in half precision; ``rows`` are not needed.

    Raises:
        NotApplicable: there is no layer, all are small, or the weights do not fit into float16.
    """
    return _stored(model, rows, write_matrix=half)


def products_of(model: onnx.ModelProto) -> onnx.ModelProto:
    """Copy ``model`` with all layers as products of rows with upright weights."""
    return with_upright_weights(as_products(model, MIN_WEIGHTS))


def in_int4(products: onnx.ModelProto) -> onnx.ModelProto:
    """Copy a model with upright weights; every layer is in blocks of 4 bits.

    Raises:
        NotApplicable: there is no layer, or all are small.
    """
    return _written(products, write_weights)


def _stored(model: onnx.ModelProto, _rows: Rows, *, write_matrix: WriteMatrix) -> onnx.ModelProto:
    return _written(products_of(model), write_matrix)


def _written(products: onnx.ModelProto, write_matrix: WriteMatrix) -> onnx.ModelProto:
    names = layers(products, MIN_WEIGHTS)
    if not names:
        raise NotApplicable(SMALL)
    return store(products, lambda name: write_matrix if name in names else None)


def _block_products(model: onnx.ModelProto, _rows: Rows) -> onnx.ModelProto:
    return block_products(products_of(model))


def _int4(weights: Matrix, name: str, writer: GraphWriter) -> str:
    """Matrices in blocks of 4 bits; convolutions, which share few weights, in int8."""
    if weights.ndim > MATRIX:
        return outputs_int8(weights, name, writer)
    return write_weights(weights, name, writer)
