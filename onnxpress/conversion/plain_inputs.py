"""Give a graph plain input names while a tool works on it that makes up names of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import onnx

from onnxpress.graph.names import rename
from onnxpress.tables.names import NUMERIC_INPUT
from onnxpress.tables.rows import Rows

Apply = Callable[[onnx.ModelProto, Rows], onnx.ModelProto]


def under_plain_inputs(apply: Apply) -> Apply:
    """Let ``apply`` work on a copy whose inputs are column0, column1 and so on.

    Its result has the names again. onnxruntime's quantisers call a quantised value
    ``v_quantized``, though a column may have that name.
    """

    def applied(model: onnx.ModelProto, rows: Rows) -> onnx.ModelProto:
        names = [value.name for value in model.graph.input]
        if names == [NUMERIC_INPUT]:
            return apply(model, rows)
        plain = {name: f"column{place}" for place, name in enumerate(names)}
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        rename(copy.graph, plain)
        feeds = {plain[name]: values for name, values in rows.feeds.items()}
        result = apply(copy, replace(rows, feeds=feeds))
        rename(result.graph, {given: name for name, given in plain.items()})
        return result

    return applied
