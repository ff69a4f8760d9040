"""The graphs of a model: all of them, and the element types of the values in them."""

from __future__ import annotations

from collections.abc import Iterator

import onnx
from onnx import TensorProto, helper

from onnxpress.graph.trees.reader import is_tree

ML_DOMAIN = "ai.onnx.ml"


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


def _from_schemas(model: onnx.ModelProto, types: dict[str, int]) -> dict[str, int]:
    """Types of values that follow from the type constraints of ai.onnx.ml operators alone."""
    version = max(
        (entry.version for entry in model.opset_import if entry.domain == ML_DOMAIN), default=1
    )
    found = {}
    for node in model.graph.node:
        if node.domain != ML_DOMAIN or node.output[0] in types:
            continue
        schema = onnx.defs.get_schema(node.op_type, version, ML_DOMAIN)
        same = [
            name
            for name, given in zip(node.input, schema.inputs, strict=False)
            if given.type_str == schema.outputs[0].type_str
        ]
        if same and same[0] in types:
            found[node.output[0]] = types[same[0]]
        elif len(schema.outputs[0].types) == 1:
            kind = next(iter(schema.outputs[0].types))
            found[node.output[0]] = getattr(
                TensorProto, kind.removeprefix("tensor(").removesuffix(")").upper(), 0
            )
    return {name: kind for name, kind in found.items() if kind}


def _skeleton(graph: onnx.GraphProto) -> onnx.GraphProto:
    """``graph`` with its tree nodes reduced to what the types of their outputs follow from."""
    result = onnx.GraphProto(
        name=graph.name, input=graph.input, output=graph.output, initializer=graph.initializer
    )
    result.value_info.extend(graph.value_info)
    for node in graph.node:
        copy = result.node.add(
            op_type=node.op_type, domain=node.domain, input=node.input, output=node.output
        )
        kept = {"classlabels_int64s", "classlabels_strings", "n_targets"} if is_tree(node) else None
        copy.attribute.extend(
            entry for entry in node.attribute if kept is None or entry.name in kept
        )
    return result
