"""Where a model of trees can change its mind: its split thresholds, traced back to the columns of the data."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from stages.common.table import NUMERIC_INPUT, Schema, input_name

Thresholds = list[tuple[str, int, NDArray[np.float32]]]
"""(input name, column within it, its distinct thresholds in rising order)."""

PASS_THROUGH = {"Identity", "Cast", "Imputer"}


def split_thresholds(model: onnx.ModelProto, schema: Schema) -> Thresholds:
    """The distinct thresholds of every number column, over all ``TreeEnsemble*`` nodes (ai.onnx.ml 1, 3 and 5).

    A tree that reads a column through an operator that changes its values (a scaler, say) contributes nothing.
    """
    columns = _raw_columns(model.graph, schema)
    found: dict[tuple[str, int], list[NDArray[np.float32]]] = {}
    for node in model.graph.node:
        if not node.op_type.startswith("TreeEnsemble"):
            continue
        features, values = _splits(node)
        for position, source in enumerate(columns.get(node.input[0], [])):
            if source is not None:
                found.setdefault(source, []).append(values[features == position])
    thresholds = [(name, column, np.unique(np.concatenate(parts))) for (name, column), parts in sorted(found.items())]
    return [item for item in thresholds if len(item[2])]


def _splits(node: onnx.NodeProto) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Feature and threshold of every split of a tree node."""
    attributes: dict[str, Any] = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
    features = np.asarray(attributes["nodes_featureids"], np.int64)
    if "nodes_splits" in attributes:
        return features, onnx.numpy_helper.to_array(attributes["nodes_splits"]).astype(np.float32)
    split = np.array([mode != b"LEAF" for mode in attributes["nodes_modes"]])
    tensor = attributes.get("nodes_values_as_tensor")
    values = attributes["nodes_values"] if tensor is None else onnx.numpy_helper.to_array(tensor)
    return features[split], np.asarray(values, np.float32)[split]


def _raw_columns(graph: onnx.GraphProto, schema: Schema) -> dict[str, list[tuple[str, int] | None]]:
    """Which raw column each column of a tensor holds unchanged; a tensor's list ends where widths are unknown."""
    if schema.all_numeric:
        known: dict[str, list[tuple[str, int] | None]] = {NUMERIC_INPUT: [(NUMERIC_INPUT, i) for i in range(len(schema.columns))]}
    else:
        names = [input_name(column.name) for column in schema.columns if column.kind == "number"]
        known = {name: [(name, 0)] for name in names}
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        first = known.get(node.input[0]) if node.input else None
        if node.op_type in PASS_THROUGH and first is not None:
            known[node.output[0]] = first
        elif node.op_type == "ArrayFeatureExtractor" and first is not None and node.input[1] in constants:
            known[node.output[0]] = [first[i] for i in constants[node.input[1]].ravel()]
        elif node.op_type == "Concat":
            joined: list[tuple[str, int] | None] = []
            for name in node.input:
                joined += known.get(name, [])
                if name not in known:
                    break
            known[node.output[0]] = joined
    return known
