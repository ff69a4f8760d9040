"""The graphs of a model: all of them, with nodes replaced, and the types of their values."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import onnx
from google.protobuf.message import Message
from onnx import TensorProto, helper

from onnxpress.graph.trees.reader import is_tree
from onnxpress.graph.writer import ML_DOMAIN

ROWS_BY_COLUMNS = 2  # dimensions
_OF_TYPES = {"classlabels_int64s", "classlabels_strings", "n_targets"}
"""The attributes of a tree node that decide the types of its outputs."""


def graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """``graph`` and all graphs nested in the attributes of its nodes."""
    yield graph
    for node in graph.node:
        for inner in () if is_tree(node) else nested(node):
            yield from graphs(inner)


def nested(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The graphs in the attributes of ``node`` itself."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def ml_opset_of(model: onnx.ModelProto) -> int:
    """The version of ai.onnx.ml that ``model`` imports; 1 if it imports none."""
    versions = [entry.version for entry in model.opset_import if entry.domain == ML_DOMAIN]
    return max(versions, default=1)


Replacement = Callable[[onnx.NodeProto, onnx.GraphProto], None]
"""Adds what replaces a node to the end of the new graph: trees are built there, not copied."""


def replaced(
    model: onnx.ModelProto, wanted: Callable[[onnx.NodeProto], bool], replacement: Replacement
) -> onnx.ModelProto:
    """A copy of ``model`` with each ``wanted`` node replaced, in nested graphs too."""
    result = onnx.ModelProto()
    _copy_fields(model, result, without="graph")
    _copy_graph(model.graph, result.graph, wanted, replacement)
    return result


def _copy_graph(
    graph: onnx.GraphProto,
    result: onnx.GraphProto,
    wanted: Callable[[onnx.NodeProto], bool],
    replacement: Replacement,
) -> None:
    _copy_fields(graph, result, without="node")
    for node in graph.node:
        if wanted(node):
            replacement(node, result)
            continue
        copy = result.node.add()
        copy.CopyFrom(node)
        for old, new in zip(nested(node), nested(copy), strict=True):
            new.Clear()
            _copy_graph(old, new, wanted, replacement)


def _copy_fields(source: Message, target: Message, *, without: str) -> None:
    """Copy all fields but one."""
    for descriptor, value in source.ListFields():
        if descriptor.name == without:
            continue
        if descriptor.is_repeated:
            getattr(target, descriptor.name).extend(value)
        elif descriptor.message_type:
            getattr(target, descriptor.name).CopyFrom(value)
        else:
            setattr(target, descriptor.name, value)


def element_types(model: onnx.ModelProto) -> dict[str, int]:
    """Element type (TensorProto.DataType) by value name.

    They come from shape inference on the model without its trees' arrays. onnx infers nothing for
    some operators of ai.onnx.ml (Scaler, for one); there the type follows from the schema.
    """
    skeleton = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    skeleton.graph.CopyFrom(_skeleton(model.graph))
    types = {
        tensor.name: tensor.data_type
        for graph in graphs(model.graph)
        for tensor in graph.initializer
    }
    known = -1
    while len(types) > known:
        known = len(types)
        inferred = onnx.shape_inference.infer_shapes(skeleton)
        for graph in graphs(inferred.graph):
            for value in (*graph.input, *graph.output, *graph.value_info):
                if value.type.tensor_type.elem_type != TensorProto.UNDEFINED:
                    types[value.name] = value.type.tensor_type.elem_type
        found = _from_schemas(skeleton, types)
        types |= found
        skeleton.graph.value_info.extend(
            helper.make_tensor_value_info(name, kind, None) for name, kind in found.items()
        )
    return types


def column_counts(model: onnx.ModelProto) -> dict[str, int]:
    """How many columns values (rows, columns) have, by name, where shape inference finds it."""
    skeleton = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    skeleton.graph.CopyFrom(_skeleton(model.graph))
    found = {}
    for graph in graphs(onnx.shape_inference.infer_shapes(skeleton).graph):
        for value in (*graph.input, *graph.value_info):
            sizes = value.type.tensor_type.shape.dim
            if len(sizes) == ROWS_BY_COLUMNS and sizes[1].dim_value:
                found[value.name] = sizes[1].dim_value
    return found


def _from_schemas(model: onnx.ModelProto, types: dict[str, int]) -> dict[str, int]:
    """Types of values that follow from the type constraints of ai.onnx.ml operators alone."""
    version = ml_opset_of(model)
    found = {}
    for node in model.graph.node:
        if node.domain != ML_DOMAIN or node.output[0] in types:
            continue
        schema = onnx.defs.get_schema(node.op_type, version, ML_DOMAIN)
        output = schema.outputs[0]
        pairs = zip(node.input, schema.inputs, strict=False)
        same = [name for name, given in pairs if given.type_str == output.type_str]
        if same and same[0] in types:
            found[node.output[0]] = types[same[0]]
        elif len(output.types) == 1:
            found[node.output[0]] = _type_number(next(iter(output.types)))
    return {name: kind for name, kind in found.items() if kind}


def _type_number(kind: str) -> int:
    """The number of a schema's type: of ``tensor(float)`` it is TensorProto.FLOAT; 0 if unknown."""
    name = kind.removeprefix("tensor(").removesuffix(")").upper()
    return int(getattr(TensorProto, name, 0))


def _skeleton(graph: onnx.GraphProto) -> onnx.GraphProto:
    """``graph`` with its tree nodes reduced to the attributes that decide their outputs' types."""
    result = onnx.GraphProto(
        name=graph.name, input=graph.input, output=graph.output, initializer=graph.initializer
    )
    result.value_info.extend(graph.value_info)
    for node in graph.node:
        copy = result.node.add(
            op_type=node.op_type, domain=node.domain, input=node.input, output=node.output
        )
        for entry in node.attribute:
            if not is_tree(node) or entry.name in _OF_TYPES:
                copy.attribute.append(entry)
    return result
