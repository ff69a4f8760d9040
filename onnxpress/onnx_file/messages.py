"""Every message in a model, found by protobuf's own description of the format, so that none is forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import onnx
from google.protobuf.unknown_fields import UnknownFieldSet

from onnxpress.onnx_file.errors import BadModel
from onnxpress.onnx_file.tensors import check_sparse, check_tensor

Place = tuple[Any, ...]
"""Where a message stands: the place of what it is in, its field, and its index or None; empty for the model."""

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
        if len(UnknownFieldSet(message)):
            raise BadModel(f"{shown(place)} has fields that ONNX {onnx.__version__} does not know")
        check = CHECKS.get(type(message).__name__)
        reason = check(message) if check else None
        if reason:
            raise BadModel(f"{shown(place)}{_name(message)} {reason}")


def messages(model: onnx.ModelProto) -> Iterator[tuple[Any, Place]]:
    """All messages of a model, however deep, with their places; the model first."""
    waiting: list[tuple[Any, Place]] = [(model, ())]
    while waiting:
        message, place = waiting.pop()
        yield message, place
        inner = _inner(type(message))
        for field, value in message.ListFields() if inner else ():
            repeated = inner.get(field.name)
            if repeated:
                waiting.extend((item, (place, field.name, index)) for index, item in enumerate(value))
            elif repeated is not None:
                waiting.append((value, (place, field.name, None)))


@cache
def _inner(kind: Any) -> dict[str, bool]:
    """The fields of a message type that hold messages, and whether they hold many."""
    return {field.name: field.is_repeated for field in kind.DESCRIPTOR.fields if field.message_type is not None}


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
    return f"has settings of onnxruntime in its metadata ({', '.join(sorted(keys))}); take them out" if keys else None


def _check_node(node: onnx.NodeProto) -> str | None:
    if node.op_type in FILE_OPERATORS:
        return f"reads a file when it is opened ({node.op_type}); export the model without it"
    return None


CHECKS: dict[str, Callable[[Any], str | None]] = {
    "TensorProto": check_tensor,
    "SparseTensorProto": check_sparse,
    "ModelProto": _check_model,
    "NodeProto": _check_node,
}
"""What is wrong with a message, by its type; None for nothing."""
