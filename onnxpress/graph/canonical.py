"""ONNX models in canonical form: the same computation always has the same bytes."""

from __future__ import annotations

from functools import cache
from typing import Any

import onnx
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

GRAPH_NAME = "onnxpress"

OWN_METADATA = {"feature_names"}
"""Keys of ``metadata_props`` that the conversion writes; no others are needed to run a model."""

OLDEST_IR = 7
"""From here on all runtimes since 1.3 agree.

The quantisers refuse IR versions in which initializers have to be inputs too.
"""
FUNCTIONS_IR = 8
"""The first IR version with functions in a model."""


def canonical(model: onnx.ModelProto) -> onnx.ModelProto:
    """Copy ``model`` without what differs between two runs of a conversion, or what nothing runs.

    1. The graph has a fixed name (skl2onnx names it with a uuid).
    2. ``opset_import`` has each domain once, at its highest version, sorted (skl2onnx writes it
       from a set).
    3. The IR version is the lowest that these opsets need.
    4. ``metadata_props`` hold our own keys alone, sorted: exporters leave stack traces with local
       paths there.
    5. Producer, documentation strings and inferred shapes are dropped, in subgraphs and functions
       too.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    result.graph.name = GRAPH_NAME
    versions: dict[str, int] = {}
    for opset in model.opset_import:
        domain = "" if opset.domain == "ai.onnx" else opset.domain
        versions[domain] = max(opset.version, versions.get(domain, 0))
    del result.opset_import[:]
    result.opset_import.extend(onnx.helper.make_opsetid(*item) for item in sorted(versions.items()))
    result.ir_version = lowest_ir_version(result)
    pairs = [(entry.key, entry.value) for entry in model.metadata_props]
    own = dict(pair for pair in pairs if pair[0] in OWN_METADATA)
    del result.metadata_props[:]
    onnx.helper.set_model_props(result, dict(sorted(own.items())))
    for field in ("producer_name", "producer_version", "doc_string", "domain", "model_version"):
        result.ClearField(field)
    for function in result.functions:
        _clear(function)
        del function.value_info[:]
        for node in function.node:
            _clear_node(node)
    _clear_graph(result.graph)
    return result


def lowest_ir_version(model: onnx.ModelProto) -> int:
    """Return the lowest IR version from ``OLDEST_IR`` on that has the opsets of ``model``.

    It is the model's own where onnx knows none.
    """
    known = {"", "ai.onnx", "ai.onnx.ml", "ai.onnx.training"}
    opsets = [opset for opset in model.opset_import if opset.domain in known]
    try:
        needed = onnx.helper.find_min_ir_version_for(opsets) if opsets else OLDEST_IR
    except ValueError:
        return int(model.ir_version)
    return max(OLDEST_IR, needed, FUNCTIONS_IR if model.functions else 0)


def _clear(message: Any) -> None:
    """Drop, in place, what was written beside a graph, node, tensor, value or function."""
    message.ClearField("doc_string")
    del message.metadata_props[:]


def _clear_graph(graph: onnx.GraphProto) -> None:
    _clear(graph)
    del graph.value_info[:]
    for message in (*graph.initializer, *graph.input, *graph.output):
        _clear(message)
    for node in graph.node:
        _clear_node(node)


def _clear_node(node: onnx.NodeProto) -> None:
    _clear(node)
    for attribute in node.attribute:
        attribute.ClearField("doc_string")
        for tensor in (*attribute.tensors, *([attribute.t] if attribute.HasField("t") else [])):
            _clear(tensor)
        for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
            _clear_graph(inner)


def to_bytes(model: onnx.ModelProto, *, packed: bool = False) -> bytes:
    """Serialise ``canonical(model)``, always to the same bytes.

    ``packed=True`` writes the repeated attributes ``ints`` and ``floats`` in protobuf's packed
    form, which every protobuf parser accepts and which saves a tag byte for each element;
    onnx.proto, being proto2, does not ask for it.

    Source: https://protobuf.dev/programming-guides/encoding/#packed
    """
    data: bytes = canonical(model).SerializeToString(deterministic=True)
    if not packed:
        return data
    message = _packed_model_class()()
    message.ParseFromString(data)
    return bytes(message.SerializeToString(deterministic=True))


def message_of(data: bytes) -> Any:
    """Parse a model file into a message of the same form, packed or not.

    So the sizes of its parts are those in the file.
    """
    message = _packed_model_class()()
    message.ParseFromString(data)
    return message if message.ByteSize() == len(data) else onnx.load_from_string(data)


@cache
def _packed_model_class() -> Any:
    """Make onnx's own ModelProto, with ``[packed = true]`` on the long repeated attributes."""
    file = descriptor_pb2.FileDescriptorProto()
    onnx.onnx_ml_pb2.DESCRIPTOR.CopyToProto(file)
    attribute = next(message for message in file.message_type if message.name == "AttributeProto")
    for field in attribute.field:
        if field.name in {"ints", "floats"}:
            field.options.packed = True
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("onnx.ModelProto"))


def same_computation(one: onnx.ModelProto, other: onnx.ModelProto) -> bool:
    """Whether two graphs have the same operators and weights, names and versions aside.

    A quantiser that did nothing may still have renamed, re-ordered or re-stamped the model.
    """
    return _content(one) == _content(other)


def _content(model: onnx.ModelProto) -> tuple[list[bytes], list[bytes]]:
    operators = []
    for node in model.graph.node:
        bare = onnx.NodeProto(op_type=node.op_type, domain=node.domain)
        bare.attribute.extend(sorted(node.attribute, key=lambda attribute: attribute.name))
        operators.append(bare.SerializeToString(deterministic=True))
    weights = []
    for tensor in model.graph.initializer:
        array = onnx.numpy_helper.to_array(tensor)
        weights.append(onnx.numpy_helper.from_array(array).SerializeToString(deterministic=True))
    return sorted(operators), sorted(weights)
