"""Support vector machines and nearest neighbours: the rows that they hold, in fewer bits.

The convert stage writes both as matrix products. Machines that still are operators of ai.onnx.ml, in a model converted
elsewhere, become matrix products here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import onnx

from onnxpress.graph.kernel_machine import COEFFICIENTS, VECTORS
from onnxpress.graph.neighbor_names import ROWS, TARGETS
from onnxpress.graph.svm_nodes import is_svm, rewrite_svm_nodes
from onnxpress.quantize.candidates import Candidate, NotApplicable
from onnxpress.quantize.products.storage import Form, half, rows_int8, store, weights_int8
from onnxpress.tables.rows import Rows

KERNEL: dict[str, dict[str, Form]] = {
    "int8": {VECTORS: rows_int8, COEFFICIENTS: weights_int8},
    "int8_float16": {VECTORS: rows_int8, COEFFICIENTS: half},
    "float16": {VECTORS: half, COEFFICIENTS: half},
    "float32": {},
}
"""By candidate, how support vectors and their coefficients are stored."""

NEIGHBORS: dict[str, dict[str, Form]] = {
    "int8": {ROWS: rows_int8, TARGETS: half},
    "float16": {ROWS: half, TARGETS: half},
}
"""By candidate, how stored rows and their targets are."""


def kernel_candidates(model: onnx.ModelProto) -> list[Candidate]:
    """What is worth trying on support vector machines; nothing if ``model`` has none."""
    operators = any(is_svm(node) for node in model.graph.node)
    if not operators and not _holds(model, (VECTORS, COEFFICIENTS)):
        return []
    names = KERNEL if operators else [name for name in KERNEL if KERNEL[name]]
    return [Candidate(f"kernel/{name}", partial(_kernel, forms=KERNEL[name])) for name in names]


def neighbors_candidates(model: onnx.ModelProto) -> list[Candidate]:
    """What is worth trying on nearest neighbours; nothing if ``model`` has none that the convert stage has written."""
    if not _holds(model, (ROWS,)):
        return []
    return [
        Candidate(f"neighbors/{name}", partial(_neighbors, forms=forms))
        for name, forms in NEIGHBORS.items()
    ]


def _holds(model: onnx.ModelProto, prefixes: tuple[str, ...]) -> bool:
    return any(tensor.name.startswith(prefixes) for tensor in model.graph.initializer)


def _kernel(model: onnx.ModelProto, rows: Rows, *, forms: dict[str, Form]) -> onnx.ModelProto:
    """``rows`` are not needed."""
    del rows
    products, reasons = rewrite_svm_nodes(model)
    if not _holds(products, (VECTORS, COEFFICIENTS)):
        raise NotApplicable("; ".join(reasons))
    return store(products, _by_prefix(forms)) if forms else products


def _neighbors(model: onnx.ModelProto, rows: Rows, *, forms: dict[str, Form]) -> onnx.ModelProto:
    """``rows`` are not needed."""
    del rows
    return store(model, _by_prefix(forms))


def _by_prefix(forms: dict[str, Form]) -> Callable[[str], Form | None]:
    return lambda name: next(
        (form for prefix, form in forms.items() if name.startswith(prefix)), None
    )
