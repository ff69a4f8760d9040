"""A graph under plain input names, for tools that make up names of their own without a look at those."""

from __future__ import annotations

from collections.abc import Callable

import onnx

from onnxpress.graph.names import rename
from onnxpress.tables.names import NUMERIC_INPUT
from onnxpress.tables.rows import Rows

Apply = Callable[[onnx.ModelProto, Rows], onnx.ModelProto]


def under_plain_inputs(apply: Apply) -> Apply:
    """``apply`` on a copy of its model whose inputs are called column0 and so on; its result has the names again.

    onnxruntime's quantisers call a quantised value ``v_quantized``, though a column may be called so.
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
        result = apply(copy, Rows(feeds, rows.target))
        rename(result.graph, {given: name for name, given in plain.items()})
        return result

    return applied
