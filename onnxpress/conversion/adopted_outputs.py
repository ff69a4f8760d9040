"""Connect the outputs of a given ONNX model to those of the contract."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, ValueInfoProto

from onnxpress.graph.names import rename
from onnxpress.graph.writer import GraphWriter, names_of, opset_of
from onnxpress.tables.names import SCORES


def connect_outputs(model: onnx.ModelProto, ends: list[str], wanted: list[ValueInfoProto]) -> None:
    """Give the tensors ``ends`` the names, types and shapes of ``wanted``, in place.

    1. What has the type and the rank already is renamed. So is what went into a ZipMap: it is
       float32 (rows, classes), as wanted.
    2. Another type is cast, texts excepted.
    3. Another shape is reshaped.
    """
    graph = model.graph
    declared = {value.name: value for value in graph.output}
    pairs = list(zip(ends, wanted, strict=True))
    alike = {}
    for end, value in pairs:
        if end not in declared or _alike(declared[end], value):
            alike[end] = value.name
    writer = GraphWriter(graph, opset_of(model), names_of(model))
    others = {end: writer.name(f"{value.name}_given") for end, value in pairs if end not in alike}
    rename(graph, alike | others)
    for end, value in pairs:
        if end in others:
            _shaped(others[end], value, writer)
    del graph.output[:]
    graph.output.extend(wanted)


def _alike(one: ValueInfoProto, other: ValueInfoProto) -> bool:
    """Whether both are tensors of the same type and rank."""
    first, second = one.type.tensor_type, other.type.tensor_type
    return first.elem_type == second.elem_type and len(first.shape.dim) == len(second.shape.dim)


def _shaped(name: str, wanted: ValueInfoProto, writer: GraphWriter) -> None:
    """Write ``wanted`` from the tensor ``name``."""
    kind = wanted.type.tensor_type.elem_type
    if kind != TensorProto.STRING:
        name = writer.add("Cast", name, to=kind)
    shape = [-1, *(dim.dim_value for dim in wanted.type.tensor_type.shape.dim[1:])]
    writer.add("Reshape", name, writer.constant(np.array(shape, np.int64)), output=wanted.name)


def score_each_class(model: onnx.ModelProto, sign: int) -> None:
    """Write the score of each of two classes, in place, the greater one at the label.

    ``sign`` is -1 where the model's greater score is that of the other class. Of a model that gives
    one column, d becomes [-d, d].
    """
    found = next((value for value in model.graph.output if value.name == SCORES), None)
    if found is None:
        return
    columns = found.type.tensor_type.shape.dim[1]
    if columns.dim_value > 1 and sign > 0:
        return
    writer = GraphWriter(model.graph, opset_of(model), names_of(model))
    given = writer.name(f"{SCORES}_given")
    rename(model.graph, {SCORES: given})
    found.name = SCORES
    if columns.dim_value > 1:
        writer.add("Neg", given, output=SCORES)
        return
    pair = [writer.add("Neg", given), given]
    writer.add("Concat", *pair[::sign], output=SCORES, axis=1)
    columns.dim_value = 2
