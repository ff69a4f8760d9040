"""ONNX bytes judged before anything opens them.

What lies outside the file, what never ends, what does not fit together.

Runtimes trust much of what a model says. :func:`read_model` is to be called on every model that
comes from a file; what it returns can be given to a runtime, which may still refuse it, but not
be led out of it.
"""

from __future__ import annotations

import onnx
from google.protobuf.message import DecodeError

from onnxpress.onnx_file.errors import BadModel
from onnxpress.onnx_file.messages import check_messages
from onnxpress.onnx_file.operators import check_operators
from onnxpress.onnx_file.structure import check_structure

__all__ = ["BadModel", "judge", "read_model"]

ORT_FORMAT = b"ORTM"
"""onnxruntime takes bytes with this at position 4 for its own format, whatever else they are."""


def read_model(data: bytes) -> onnx.ModelProto:
    """The model in the bytes of an ONNX file.

    Raises:
        BadModel: they are no ONNX model, or one that :func:`judge` refuses.
    """
    if data[4:8] == ORT_FORMAT:
        raise BadModel("it is a model in onnxruntime's own format, not ONNX")
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except (DecodeError, RecursionError, ValueError) as error:
        raise BadModel(f"it is not a whole ONNX file ({error})") from error
    if not model.HasField("graph"):
        raise BadModel("it is not an ONNX file: there is no graph in it")
    judge(model)
    return model


def judge(model: onnx.ModelProto) -> None:
    """Refuse a model that could harm the runtime.

    It could read other files, run forever, or read outside its memory.

    1. Nothing refers to another file; tensors have as many values as their dimensions say;
       nothing is unknown to the format, and names are text.
    2. Nodes read only what is defined before them and use known operators; functions do not call
       themselves; loops have a known number of turns.
    3. The attributes of ai.onnx.ml's operators have the lengths and indices that kernels need.

    Raises:
        BadModel: saying where, in one clause.
    """
    check_messages(model)
    try:
        check_structure(model)
    except RecursionError as error:
        raise BadModel("its functions and branches lie too deep in each other") from error
    check_operators(model)
