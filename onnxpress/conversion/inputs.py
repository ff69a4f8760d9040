"""Lead from the inputs of the contract to the columns that an estimator takes.

An estimator may take some columns of the table only, in an order of its own, or a matrix where the
table is mixed. It is converted with the inputs that suit it; then the graph gets the contract's
inputs in front: one matrix ``X`` of all columns, or one input for each column, used or not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from onnxpress.conversion.contract import contract_inputs
from onnxpress.estimators.layout import Layout
from onnxpress.graph.names import rename
from onnxpress.graph.writer import GraphWriter, names_of, opset_of
from onnxpress.tables.names import NUMERIC_INPUT
from onnxpress.tables.schema import Schema


def initial_types(taken: Layout, schema: Schema) -> list[tuple[str, Any]]:
    """List the inputs, by plain names, that an estimator of this layout is converted with."""
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    if taken.all_numeric:
        return [(NUMERIC_INPUT, FloatTensorType([None, len(taken.columns)]))]
    kinds = {"number": FloatTensorType, "category": StringTensorType, "text": StringTensorType}
    return [
        (_plain_name(place), kinds[schema.columns[place].kind]([None, 1]))
        for place in _places(taken, schema)
    ]


def declare(model: onnx.ModelProto, taken: Layout, schema: Schema) -> None:
    """Give the graph, in place, the contract's inputs, those of columns by their plain names."""
    places = _places(taken, schema)
    as_they_are = schema.all_numeric and places == list(range(len(schema.columns)))
    if taken.all_numeric and not as_they_are:
        _put_before(model, places, schema)
    names = [_plain_name(place) for place in range(len(schema.columns))]
    del model.graph.input[:]
    model.graph.input.extend(contract_inputs(schema, names))


def _plain_name(place: int) -> str:
    return f"column{place}"


def _places(taken: Layout, schema: Schema) -> list[int]:
    """Find the positions in the table of the columns that the estimator takes."""
    position = {column.name: place for place, column in enumerate(schema.columns)}
    return [position[column.name] for column in taken.columns]


def _put_before(model: onnx.ModelProto, places: list[int], schema: Schema) -> None:
    """Make the estimator's matrix of the contract's inputs."""
    graph, head = model.graph, onnx.GraphProto()
    writer = GraphWriter(head, opset_of(model), names_of(model))
    matrix = writer.name("chosen")
    rename(graph, {NUMERIC_INPUT: matrix})
    if schema.all_numeric:
        index = writer.constant(np.array(places, np.int64), f"{matrix}_index")
        writer.add("Gather", NUMERIC_INPUT, index, output=matrix, axis=1)
    else:
        writer.add("Concat", *map(_plain_name, places), output=matrix, axis=1)
    nodes = [*head.node, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.extend(head.initializer)
