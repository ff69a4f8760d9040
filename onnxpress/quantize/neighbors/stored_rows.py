"""Nearest neighbours: the rows that a model holds and their targets, in fewer bits."""

from __future__ import annotations

from functools import partial

import onnx

from onnxpress.graph.neighbor_names import ROWS, TARGETS
from onnxpress.quantize.candidates import Candidate, Form, Method
from onnxpress.quantize.options import Options
from onnxpress.quantize.storage import Writing, half, holds, rows_int8, store_prefixed
from onnxpress.tables.rows import Rows

WRITINGS: dict[Form, Writing] = {
    Form.INT8: {ROWS: rows_int8, TARGETS: half},
    Form.FLOAT16: {ROWS: half, TARGETS: half},
}
"""By form, how the rows and their targets are stored."""


def neighbors_candidates(model: onnx.ModelProto, _options: Options) -> list[Candidate]:
    """What is worth trying on nearest neighbours; nothing if the conversion has written none."""
    if not holds(model, (ROWS,)):
        return []
    return [
        Candidate(Method.NEIGHBORS, partial(_stored, writing=writing), form=form)
        for form, writing in WRITINGS.items()
    ]


def _stored(model: onnx.ModelProto, _rows: Rows, *, writing: Writing) -> onnx.ModelProto:
    return store_prefixed(model, writing)
