"""A model behind an address that speaks the Open Inference Protocol, version 2, over gRPC.

The messages are those of the protocol's own grpc_predict_v2.proto, as the package tritonclient has
compiled them. Its client is not used: it reads outputs as raw bytes only, and the protocol lets a
server send them as typed contents.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.commands.open_inference import datatype, packed
from onnxpress.commands.verify_endpoint.endpoint import TOKEN, Answer, answer_of, bearer_token
from onnxpress.credentials.addresses import Unreadable, public, read
from onnxpress.errors import ServerError, UserError
from onnxpress.tables.rows import Feeds
from onnxpress.text import shortened

SCHEMES = {"grpc", "grpcs"}
"""The second is gRPC over TLS."""
TYPES = {
    "BOOL": ("?", "bool_contents"),
    "INT32": ("<i4", "int_contents"),
    "INT64": ("<i8", "int64_contents"),
    "FP32": ("<f4", "fp32_contents"),
    "FP64": ("<f8", "fp64_contents"),
}
"""By the protocol's name of a type, its raw form and the field of its typed contents."""
ANY_SIZE = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


class GrpcEndpoint:
    """A model at an endpoint, over one channel that stays open."""

    def __init__(
        self, address: str, model: str, *, host: str | None = None, seconds: float = 10.0
    ) -> None:
        """Name the model at ``address``, such as grpc://127.0.0.1:8001; nothing is sent yet.

        ``host`` is sent as the authority, which ingresses route by. An answer may take ``seconds``.

        Raises:
            UserError: it is not such an address, or the token cannot be sent.
            ModuleNotFoundError: the extra ``grpc`` is not installed.
        """
        expected = "URL should be like grpc://127.0.0.1:8001"
        try:
            parts = read(address)
        except Unreadable as error:
            raise UserError(f"{expected}, got {error}") from error
        if parts.user is not None:
            raise UserError(f"{expected} without a login, got {parts.public}; set {TOKEN} instead")
        if not parts.port or parts.path.strip("/") or parts.query or parts.fragment:
            raise UserError(f"{expected}, got {public(address)}")
        import grpc
        from tritonclient.grpc import service_pb2, service_pb2_grpc

        self.shown = f"{parts.public.rstrip('/')}, model {model}"
        self.seconds, self._model, self._messages = seconds, model, service_pb2
        token = bearer_token()
        self._metadata = [("authorization", f"Bearer {token}")] if token else []
        options = [*ANY_SIZE, *([("grpc.default_authority", host)] if host else [])]
        target = f"{parts.host}:{parts.port}"
        if parts.scheme == "grpcs":
            channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(), options)
        else:
            channel = grpc.insecure_channel(target, options)
        self._stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        self._failure = grpc.RpcError
        self._silent = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}

    def metadata(self) -> dict[str, Any]:
        """Return the names and types of the model's inputs.

        Raises:
            ServerError: the endpoint does not answer, or does not know the model.
        """
        request = self._messages.ModelMetadataRequest(name=self._model)
        answer = self._called(self._stub.ModelMetadata, request)
        return {
            "inputs": [{"name": each.name, "datatype": each.datatype} for each in answer.inputs]
        }

    def infer(self, feeds: Feeds) -> Answer:
        """Have the endpoint predict rows.

        Raises:
            ServerError: the endpoint does not answer, refuses the rows, or answers something else.
        """
        request = self._messages.ModelInferRequest(model_name=self._model)
        for name, values in feeds.items():
            request.inputs.add(name=name, datatype=datatype(values), shape=values.shape)
            request.raw_input_contents.append(packed(values))
        begun = time.perf_counter()
        response = self._called(self._stub.ModelInfer, request)
        taken = 1000 * (time.perf_counter() - begun)
        rows = len(next(iter(feeds.values())))
        return answer_of(self.shown, response, lambda each: dict(_outputs(each)), rows, taken)

    def _called(self, method: Any, request: Any) -> Any:
        try:
            return method(request, timeout=self.seconds, metadata=self._metadata)
        except self._failure as error:
            said = shortened(" ".join(str(error.details()).split()))
            if error.code() in self._silent:
                raise ServerError(
                    f"{self.shown} does not answer ({said}); check the URL, or start the server"
                ) from error
            raise ServerError(
                f"{self.shown} answers with {error.code().name}: {said}; check the URL, --model, "
                f"--host and {TOKEN}"
            ) from error


def _outputs(response: Any) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield the outputs of a response with their names.

    Raises:
        ValueError: they are not as the protocol says.
    """
    raw = list(response.raw_output_contents)
    if raw and len(raw) != len(response.outputs):
        raise ValueError(f"{len(response.outputs)} outputs with {len(raw)} raw contents")
    for number, tensor in enumerate(response.outputs):
        values = _unpacked(tensor.datatype, raw[number]) if raw else _contents(tensor)
        yield tensor.name, values.reshape(tuple(tensor.shape))


def _unpacked(kind: str, raw: bytes) -> NDArray[Any]:
    if kind != "BYTES":
        return np.frombuffer(raw, _type(kind)[0])
    texts = []
    while raw:  # each text after its length
        if len(raw) < 4 or len(raw) < 4 + (length := struct.unpack_from("<I", raw)[0]):
            raise ValueError("a text is cut off")
        texts.append(raw[4 : 4 + length].decode())
        raw = raw[4 + length :]
    return np.array(texts, object)


def _contents(tensor: Any) -> NDArray[Any]:
    if tensor.datatype == "BYTES":
        return np.array([text.decode() for text in tensor.contents.bytes_contents], object)
    form, field = _type(tensor.datatype)
    return np.array(getattr(tensor.contents, field), form)


def _type(kind: str) -> tuple[str, str]:
    try:
        return TYPES[kind]
    except KeyError as error:
        raise ValueError(f"an output of type {kind}") from error
