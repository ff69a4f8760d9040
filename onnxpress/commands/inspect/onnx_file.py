"""What an ONNX file holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import onnx
from onnx import TensorProto

from onnxpress.certify.evidence import bad_onnxruntime, max_onnxruntime, min_onnxruntime
from onnxpress.graph.trees.graphs import graphs
from onnxpress.graph.trees.reader import Untreatable, is_tree, read
from onnxpress.report.pictures.composition import bytes_by_kind
from onnxpress.runtime.checked import checked_onnx

STANDARD = "ai.onnx"
"""The name of the domain that ONNX writes as an empty text."""


def describe_onnx(data: bytes, name: str) -> dict[str, Any]:
    """Return the facts about the bytes of an ONNX file; ``name`` is how errors call it.

    Raises:
        UserError: they are not an ONNX model that can be run.
    """
    model = checked_onnx(data, name)
    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}
    return {
        "kind": "ONNX",
        "bytes": len(data),
        "inputs": _values(value for value in graph.input if value.name not in constants),
        "outputs": _values(graph.output),
        "operators": _operators(model),
        "trees": _trees(model),
        "bytes_by_part": bytes_by_kind(data),
        "opsets": {entry.domain or STANDARD: entry.version for entry in model.opset_import},
        "ir_version": model.ir_version,
        "onnxruntime": f"{min_onnxruntime(model)} to {max_onnxruntime(model)}",
        "wrong_in": bad_onnxruntime(model),
        "producer": f"{model.producer_name} {model.producer_version}".strip(),
    }


def _values(values: Iterable[Any]) -> list[dict[str, Any]]:
    """Name, element type and shape of inputs or outputs; None is a dimension of any size."""
    found = []
    for value in values:
        kind, shape = _type(value.type)
        found.append({"name": value.name, "type": kind, "shape": shape})
    return found


def _type(kind: Any) -> tuple[str, list[int | None]]:
    """The type in words, and the shape of a tensor."""
    if kind.HasField("tensor_type"):
        tensor = kind.tensor_type
        sizes = [size.dim_value or None for size in tensor.shape.dim]
        return TensorProto.DataType.Name(tensor.elem_type).lower(), sizes
    return str(kind.WhichOneof("value")).removesuffix("_type"), []


def _operators(model: onnx.ModelProto) -> dict[str, int]:
    """How often each operator is in the graph and the graphs within, the most frequent first."""
    counted = Counter(node.op_type for graph in graphs(model.graph) for node in graph.node)
    return dict(counted.most_common())


def _trees(model: onnx.ModelProto) -> dict[str, int]:
    """How many trees, splits and leaves the tree operators have; empty without trees."""
    total = Counter[str]()
    for node in (node for graph in graphs(model.graph) for node in graph.node if is_tree(node)):
        try:
            forest = read(node)
        except Untreatable:
            return {}
        total.update(trees=forest.n_trees, splits=forest.n_splits, leaves=forest.n_leaves)
    return dict(total)
