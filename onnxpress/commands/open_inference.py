"""Requests and responses of the Open Inference Protocol, version 2.

https://github.com/kserve/open-inference-protocol
"""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.tables.rows import Feeds

NUMBERS: dict[Any, str] = {
    np.dtype(np.float32): "FP32",
    np.dtype(np.int64): "INT64",
    np.dtype(np.uint8): "UINT8",
}
"""The protocol's names of the types that inputs of numbers have."""


def infer_request(feeds: Feeds) -> dict[str, Any]:
    """Return the body of a request for the rows in ``feeds``."""
    return {"inputs": [_tensor(name, values) for name, values in feeds.items()]}


def datatype(values: NDArray[Any]) -> str:
    """Return the protocol's name of the type of an input: numbers, or text."""
    return NUMBERS.get(values.dtype, "BYTES")


def _tensor(name: str, values: NDArray[Any]) -> dict[str, Any]:
    # every digit of the float32, so that the server reads the same float32
    single = datatype(values) == "FP32"
    data = values.reshape(-1).astype(np.float64) if single else values.reshape(-1)
    return {
        "name": name,
        "shape": list(values.shape),
        "datatype": datatype(values),
        "data": data.tolist(),
    }


def binary_request(feeds: Feeds) -> tuple[bytes, int]:
    """Return the body of a request whose tensors are binary, and the bytes of its JSON header.

    This is the protocol's binary tensor data extension.
    """
    inputs, data = [], []
    for name, values in feeds.items():
        data.append(packed(values))
        inputs.append(
            {
                "name": name,
                "shape": list(values.shape),
                "datatype": datatype(values),
                "parameters": {"binary_data_size": len(data[-1])},
            }
        )
    header = json.dumps({"inputs": inputs}).encode()
    return b"".join([header, *data]), len(header)


def packed(values: NDArray[Any]) -> bytes:
    """Return the values of a tensor as raw bytes: little-endian, each text after its length."""
    if datatype(values) != "BYTES":
        return values.astype(values.dtype.newbyteorder("<")).tobytes()
    texts = [str(value).encode() for value in values.reshape(-1)]
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def outputs_of(answer: Any) -> dict[str, NDArray[Any]]:
    """Return the outputs of a response by name; null among numbers is NaN.

    Raises:
        ValueError: it is not a response of the protocol.
    """
    try:
        return {each["name"]: _array(each) for each in answer["outputs"]}
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not a response of the protocol ({error!r})") from error


def _array(tensor: dict[str, Any]) -> NDArray[Any]:
    kinds: dict[str, Any] = {"BYTES": object, "INT64": np.int64, "INT32": np.int32, "BOOL": bool}
    kind = kinds.get(tensor["datatype"], np.float64)
    return np.array(tensor["data"], kind).reshape(tensor["shape"])
