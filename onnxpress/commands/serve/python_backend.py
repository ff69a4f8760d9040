"""The model as Triton's Python backend runs it, for a Triton without the onnxruntime backend.

`onnxpress serve` puts this file beside the ONNX file, as ``model.py``. It runs where the rest of
the project is not installed, and imports numpy, onnxruntime and Triton's own module only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import triton_python_backend_utils as triton
from numpy.typing import NDArray

Feeds = dict[str, NDArray[Any]]


class TritonPythonModel:  # the name that Triton looks for
    """An ONNX model that answers the requests of a batch together."""

    def initialize(self, arguments: dict[str, str]) -> None:
        """Open ``model.onnx`` in the folder of the version."""
        folder = Path(arguments["model_repository"]) / arguments["model_version"]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors only
        self.session = onnxruntime.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self.inputs = [each.name for each in self.session.get_inputs()]
        self.outputs = [each.name for each in self.session.get_outputs()]
        self.traces = Traces(json.loads(arguments["model_config"]))

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Return a response for each request; all their rows are run at once if that works."""
        try:
            feeds = [self.feeds(request) for request in requests]
            joined = {name: np.concatenate([each[name] for each in feeds]) for name in self.inputs}
            values = self.session.run(self.outputs, joined)
        except Exception as error:  # onnxruntime's exceptions share no base class of their own
            if len(requests) == 1:
                return [_refusal(error)]
            return [self.execute([request])[0] for request in requests]
        ends = np.cumsum([len(each[self.inputs[0]]) for each in feeds])[:-1]
        parts = list(zip(*(np.split(np.asarray(value), ends) for value in values), strict=True))
        for fed, part in zip(feeds, parts, strict=True):
            self.traces.count(fed, dict(zip(self.outputs, part, strict=True)))
        return [self.response(*pair) for pair in zip(requests, parts, strict=True)]

    def feeds(self, request: Any) -> Feeds:
        """Return the inputs of a request by name; text is decoded."""
        feeds = {}
        for name in self.inputs:
            values = triton.get_input_tensor_by_name(request, name).as_numpy()
            feeds[name] = _decoded(values) if values.dtype == object else values
        return feeds

    def response(self, request: Any, values: Sequence[NDArray[Any]]) -> Any:
        """Return the outputs that a request asks for."""
        wanted = request.requested_output_names()
        tensors = []
        for name, value in zip(self.outputs, values, strict=True):
            if name in wanted:
                tensors.append(triton.Tensor(name, _encoded(value)))
        return triton.InferenceResponse(tensors)


class Traces:
    """Files with inputs and outputs of one request in so many, as Triton's own tracer writes them.

    The configuration of the model names the files and the number; without these there are none.
    The form is read by onnxpress/drift/traces.py.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Take the model's configuration. What Triton sends to warm the model up is not counted."""
        parameters = config["parameters"]
        self.every = int(parameters["every"]["string_value"]) if "every" in parameters else 0
        self.files = Path(parameters["traces"]["string_value"]) if self.every else Path()
        self.requests = -len(config["model_warmup"])

    def count(self, inputs: Feeds, outputs: Feeds) -> None:
        """Count a request, and write a file if it is its turn."""
        self.requests += 1
        if not self.every or self.requests <= 0 or self.requests % self.every:
            return
        sides = {"TENSOR_QUEUE_INPUT": inputs, "TENSOR_BACKEND_OUTPUT": outputs}
        events = [
            {"id": self.requests, "activity": side, "tensor": _traced(name, tensors[name])}
            for side, tensors in sides.items()
            for name in tensors
        ]
        file = self.files.with_name(f"{self.files.name}.{self.requests // self.every}")
        file.write_text(json.dumps(events), encoding="utf-8")


def _traced(name: str, values: NDArray[Any]) -> dict[str, str]:
    """Return a tensor as it is in a trace: six digits of a number, a text in quotes."""
    kind = values.dtype.kind
    forms = {"f": ("FP32", "{:.6g}"), "O": ("BYTES", '"{}"'), "U": ("BYTES", '"{}"')}
    dtype, form = forms.get(kind, ("INT64", "{:d}"))
    data = ",".join(map(form.format, values.reshape(-1).tolist()))
    shape = values.shape if values.ndim > 1 else (len(values), 1)  # as the configuration has it
    return {"name": name, "dtype": dtype, "shape": ",".join(map(str, shape)), "data": data}


def _decoded(values: NDArray[Any]) -> NDArray[Any]:
    texts = [value.decode() for value in values.reshape(-1)]
    return np.array(texts, object).reshape(values.shape)


def _encoded(values: NDArray[Any]) -> NDArray[Any]:
    """Return values as Triton takes them: text as bytes."""
    if values.dtype.kind not in "OU":
        return values
    texts = [str(value).encode() for value in values.reshape(-1)]
    return np.array(texts, object).reshape(values.shape)


def _refusal(error: Exception) -> Any:
    line = " ".join(str(error).split())[:300]
    message = f"the model cannot be run on these rows: {line}"
    return triton.InferenceResponse([], triton.TritonError(message, triton.TritonError.INVALID_ARG))
