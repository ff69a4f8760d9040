"""Send bad requests by gRPC, and print the answers; runs in .venv-triton, which has the package.

Argument: the port. It prints the code and the line of each refusal by the name of the case, as
JSON; OK where a request was answered.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import grpc
from tritonclient.grpc import service_pb2 as messages

INFER = "/inference.GRPCInferenceService/ModelInfer"
SECONDS, COLUMNS = 60, 13


def request(values: bytes = bytes(4 * COLUMNS), model: str = "model", **changes: Any) -> bytes:
    whole = {"name": "X", "shape": [1, COLUMNS], "datatype": "FP32", **changes}
    tensor = messages.ModelInferRequest.InferInputTensor(**whole)
    made = messages.ModelInferRequest(
        model_name=model, inputs=[tensor], raw_input_contents=[values]
    )
    return bytes(made.SerializeToString())


def typed(kind: str, values: list[Any]) -> bytes:
    """A request whose values are in the field of one type."""
    contents = messages.InferTensorContents(**{kind: values})
    tensor = messages.ModelInferRequest.InferInputTensor(
        name="X", shape=[1, COLUMNS], datatype="FP32", contents=contents
    )
    made = messages.ModelInferRequest(model_name="model", inputs=[tensor])
    return bytes(made.SerializeToString())


CASES = {
    "right": request(),
    "right, typed": typed("fp32_contents", [0.5] * COLUMNS),
    "wrong shape": request(bytes(48), shape=[1, 12]),
    "another rank": request(shape=[1, COLUMNS, 1]),
    "negative shape": request(shape=[-1, COLUMNS]),
    "too few values": request(bytes(4)),
    "too many values": request(bytes(100)),
    "wrong type": request(datatype="FP64"),
    "unknown type": request(datatype="FP31"),
    "text for numbers": request(datatype="BYTES"),
    "wrong name": request(name="Y"),
    "no rows": request(b"", shape=[0, COLUMNS]),
    "too many rows": request(bytes(1025 * 4 * COLUMNS), shape=[1025, COLUMNS]),
    "100 MB": request(bytes(100_000_000)),
    "no inputs": messages.ModelInferRequest(model_name="model").SerializeToString(),
    "another model": request(model="other"),
    "values of another type": typed("bool_contents", [True] * COLUMNS),
    "no message": b"\xff" * 100,
}


def main(port: str) -> None:
    limits = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=limits) as channel:
        infer = channel.unary_unary(INFER)
        found = {name: answer(infer, body) for name, body in CASES.items()}
    sys.stdout.write(json.dumps(found))


def answer(infer: Any, body: bytes) -> tuple[str, str]:
    try:
        infer(body, timeout=SECONDS)
    except grpc.RpcError as error:
        return error.code().name, error.details()
    return "OK", ""


if __name__ == "__main__":
    main(*sys.argv[1:])
