"""Every message in a model, found by protobuf's own description, so that none is missed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import onnx
from google.protobuf.descriptor import Descriptor
from google.protobuf.unknown_fields import UnknownFieldSet

from onnxpress.onnx_file.errors import BadModel
from onnxpress.onnx_file.tensors import check_sparse, check_tensor

Place = tuple[Any, ...]
"""Where a message is: the place of what it is in, its field, and its index or None.

Empty for the model.
"""

MOST_MESSAGES = 500_000
"""A message of two bytes in a file takes hundreds in memory."""
RUNTIME_SETTINGS = {"ort_config"}
"""Keys of metadata that are settings of onnxruntime: of files that it writes, for instance."""
FILE_OPERATORS = {"EPContext"}
"""Operators that name a file to read."""


def check_messages(model: onnx.ModelProto) -> None:
    """Refuse what lies outside the model, and tensors that do not hold what they say.

    Raises:
        BadModel: naming the place.
    """
    for message, place in messages(model):
        check = CHECKS.get(type(message).__name__)
        reason = check(message) if check else None
        if reason:
            raise BadModel(f"{shown(place)}{_name(message)} {reason}")


def messages(model: onnx.ModelProto) -> Iterator[tuple[Any, Place]]:
    """All messages of a model, however deep, with their places; the model first.

    Raises:
        BadModel: there are more than ``MOST_MESSAGES``, unknown fields, or a name that is not
            UTF-8.
    """
    waiting: list[tuple[Any, Place]] = [(model, ())]
    count = 1
    while waiting:
        message, place = waiting.pop()
        if len(UnknownFieldSet(message)):
            raise BadModel(f"{shown(place)} has fields that ONNX {onnx.__version__} does not know")
        yield message, place
        kinds = _kinds(message.DESCRIPTOR)
        for field, value in message.ListFields() if kinds else ():
            kind = kinds.get(field.name)
            if kind == "message":
                waiting.append((value, (place, field.name, None)))
            elif kind == "messages":
                count += len(value)
                _check_count(count)
                waiting.extend(
                    (item, (place, field.name, index)) for index, item in enumerate(value)
                )
            elif (
                isinstance(value, bytes)
                if kind == "text"
                else kind and any(isinstance(item, bytes) for item in value)
            ):
                raise BadModel(f"{shown((place, field.name, None))} is no UTF-8 text")


def _check_count(count: int) -> None:
    if count > MOST_MESSAGES:
        raise BadModel(f"it has more than {MOST_MESSAGES} nodes, tensors, attributes and the like")


@cache
def _kinds(kind: Descriptor) -> dict[str, str]:
    """Return what the fields of a message type hold, except numbers and bytes.

    Text that is not UTF-8 is read as bytes.
    """
    found = {}
    for field in kind.fields:
        name = (
            "message" if field.message_type else "text" if field.type == field.TYPE_STRING else ""
        )
        if name:
            found[field.name] = f"{name}s" if field.is_repeated else name
    return found


def shown(place: Place) -> str:
    """A place as ``graph.node[2].attribute[0].t``."""
    steps = []
    while place:
        place, field, index = place
        steps.append(field if index is None else f"{field}[{index}]")
    return ".".join(reversed(steps)) or "the model"


def _name(message: Any) -> str:
    name = getattr(message, "name", "")
    return f" ({name[:60]!r})" if name else ""


def _check_model(model: onnx.ModelProto) -> str | None:
    keys = RUNTIME_SETTINGS.intersection(entry.key for entry in model.metadata_props)
    return (
        f"has settings of onnxruntime in its metadata ({', '.join(sorted(keys))}); take them out"
        if keys
        else None
    )


def _check_node(node: onnx.NodeProto) -> str | None:
    if node.op_type in FILE_OPERATORS:
        return f"reads a file when it is opened ({node.op_type}); export the model without it"
    names = [item.name for item in node.attribute]
    return "has an attribute twice" if len(set(names)) < len(names) else None


def _check_attribute(attribute: onnx.AttributeProto) -> str | None:
    """A value beside the reference to another is what the reference is taken for, or is not.

    Runtimes differ.
    """
    own = {field.name for field, _ in attribute.ListFields()} - {
        "name",
        "type",
        "doc_string",
        "ref_attr_name",
    }
    return "has a value and takes that of a call" if attribute.ref_attr_name and own else None


CHECKS: dict[str, Callable[[Any], str | None]] = {
    "TensorProto": check_tensor,
    "SparseTensorProto": check_sparse,
    "ModelProto": _check_model,
    "NodeProto": _check_node,
    "AttributeProto": _check_attribute,
}
"""What is wrong with a message, by its type; None for nothing."""
