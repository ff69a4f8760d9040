"""Support vector machines: support vectors and their coefficients, in fewer bits."""

from __future__ import annotations

from functools import partial

import onnx

from onnxpress.graph.kernel_machine import COEFFICIENTS, VECTORS
from onnxpress.graph.svm_nodes import is_svm, rewrite_svm_nodes
from onnxpress.quantize.candidates import Candidate, Form, Method, NotApplicable
from onnxpress.quantize.options import Options
from onnxpress.quantize.storage import Writing, half, holds, rows_int8, store_prefixed, weights_int8
from onnxpress.tables.rows import Rows

WRITINGS: dict[Form, Writing] = {
    Form.INT8: {VECTORS: rows_int8, COEFFICIENTS: weights_int8},
    Form.INT8_FLOAT16: {VECTORS: rows_int8, COEFFICIENTS: half},
    Form.FLOAT16: {VECTORS: half, COEFFICIENTS: half},
    Form.FLOAT32: {},
}
"""By form, how support vectors and their coefficients are stored."""

MATRICES = (VECTORS, COEFFICIENTS)


def kernel_candidates(model: onnx.ModelProto, _options: Options) -> list[Candidate]:
    """What is worth trying on support vector machines; nothing if ``model`` has none.

    Float32 is worth trying where a machine is still an operator of ai.onnx.ml.
    """
    operators = any(is_svm(node) for node in model.graph.node)
    if not operators and not holds(model, MATRICES):
        return []
    return [
        Candidate(Method.KERNEL, partial(_stored, writing=writing), form=form)
        for form, writing in WRITINGS.items()
        if writing or operators
    ]


def _stored(model: onnx.ModelProto, _rows: Rows, *, writing: Writing) -> onnx.ModelProto:
    products, reasons = rewrite_svm_nodes(model)
    if not holds(products, MATRICES):
        raise NotApplicable("; ".join(reasons))
    return store_prefixed(products, writing) if writing else products
