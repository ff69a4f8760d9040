"""ONNX models in canonical form: the same computation always has the same bytes."""

from __future__ import annotations

from functools import cache
from typing import Any

import onnx
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

GRAPH_NAME = "onnxpress"


def canonical(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of ``model`` without anything that differs between two runs of the same conversion.

    1. The graph has a fixed name (skl2onnx names it with a uuid).
    2. ``opset_import`` has each domain once, at its highest version, sorted (skl2onnx writes it from a set).
    3. ``metadata_props`` are sorted by key.
    4. Producer and documentation strings are dropped.
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
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    del result.metadata_props[:]
    onnx.helper.set_model_props(result, dict(sorted(metadata.items())))
    for field in ("producer_name", "producer_version", "doc_string"):
        result.ClearField(field)
    for message in (result.graph, *result.graph.node):
        message.ClearField("doc_string")
    return result


def to_bytes(model: onnx.ModelProto, *, packed: bool = False) -> bytes:
    """Serialise ``canonical(model)``, always to the same bytes.

    ``packed=True`` writes the repeated attributes ``ints`` and ``floats`` in protobuf's packed form, which every
    protobuf parser accepts and which saves a tag byte per element (onnx.proto, being proto2, does not ask for it).
    See https://protobuf.dev/programming-guides/encoding/#packed.
    """
    data: bytes = canonical(model).SerializeToString(deterministic=True)
    if not packed:
        return data
    message = _packed_model_class()()
    message.ParseFromString(data)
    return bytes(message.SerializeToString(deterministic=True))


def message_of(data: bytes) -> Any:
    """A model file as a message of the same form, packed or not, so that the sizes of its parts are those in the file."""
    message = _packed_model_class()()
    message.ParseFromString(data)
    return message if message.ByteSize() == len(data) else onnx.load_from_string(data)


@cache
def _packed_model_class() -> Any:
    """onnx's own ModelProto with ``[packed = true]`` on the long repeated attribute fields."""
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

    This is how a quantiser that did nothing is told from one that did: it may still have renamed, re-ordered or re-stamped.
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
